"""Which encoder writes the result, in which pixel format, how well: decided once, in words.

The default is the source's own family of codecs, where an encoder is bundled and the container
takes it; else the encoder that holds the source's samples best. Without loss:

====================================================  ==================  =====================
source's samples                                      encoder             containers
====================================================  ==================  =====================
8 and 10 bits: 4:2:0, 4:2:2, 4:4:4                    libx264, qp 0       .mp4 .mov .mkv
8 bits RGB                                            libx264rgb, qp 0    .mp4 .mov .mkv
12 bits: 4:2:0, 4:2:2, 4:4:4; 10, 12 bits RGB; grey   libx265, lossless   .mp4 .mov .mkv
8 bits: 4:2:0 with transparency, 4:4:0, odd sizes;    libvpx-vp9,         .webm .mkv, and .mp4
and anything of 8 bits in .webm                       lossless            but for transparency
the rest: 16 bits, other transparency, 4:1:1, 4:1:0   ffv1                .mkv
====================================================  ==================  =====================
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import av

from cleanplate.errors import InputError, MediaError
from cleanplate.media.encoder_options import encoder_options
from cleanplate.media.layout import Layout, find_layout
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.types import VideoInfo

CONTAINERS = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
}
_CARRIES = {
    "mp4": {"h264", "hevc", "av1", "vp9", "mpeg4"},
    "mov": {"h264", "hevc", "prores", "mpeg4"},
    "matroska": {"h264", "hevc", "av1", "vp9", "vp8", "mpeg4", "prores", "ffv1"},
    "webm": {"av1", "vp9", "vp8"},
}


@dataclass(frozen=True, slots=True)
class _Encoder:
    codec: str
    """Name of the format that it writes."""
    quality: int
    """What ``auto`` means, on the encoder's own scale; smaller is better."""
    worst: int
    preset: str | None = None
    lossless: bool = False


_ENCODERS = {
    "libx264": _Encoder("h264", 14, 51, "medium", lossless=True),
    "libx264rgb": _Encoder("h264", 14, 51, "medium", lossless=True),
    "libx265": _Encoder("hevc", 16, 51, "medium", lossless=True),
    "libvpx-vp9": _Encoder("vp9", 16, 63, "4", lossless=True),
    "libvpx": _Encoder("vp8", 6, 63, "4"),
    "libsvtav1": _Encoder("av1", 16, 63, "8"),
    "prores_ks": _Encoder("prores", 0, 0),
    "mpeg4": _Encoder("mpeg4", 2, 31),
    "ffv1": _Encoder("ffv1", 0, 0, lossless=True),
}
_X26 = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow", "placebo"),
)
_PRESETS = {
    **dict.fromkeys(("libx264", "libx264rgb", "libx265"), _X26),
    **dict.fromkeys(("libvpx-vp9", "libvpx"), tuple(map(str, range(9)))),
    "libsvtav1": tuple(map(str, range(14))),
}
_FAMILY = {
    "h264": "libx264",
    "hevc": "libx265",
    "vp9": "libvpx-vp9",
    "vp8": "libvpx",
    "av1": "libsvtav1",
    "prores": "prores_ks",
    "ffv1": "ffv1",
}
_ALIASES = {
    "h264": "libx264",
    "avc": "libx264",
    "x264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "x265": "libx265",
    "vp9": "libvpx-vp9",
    "vp8": "libvpx",
    "av1": "libsvtav1",
    "prores": "prores_ks",
}
# Where the source's family does not fit, or holds the samples less well: what else, in order.
_FALLBACKS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "prores_ks", "ffv1")
_LOSSLESS_ORDER = ("libx264", "libx264rgb", "libx265", "libvpx-vp9", "ffv1")


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """What will be written, and why; a report can print it."""

    encoder: str
    codec: str
    container: str
    """FFmpeg's name of the output format."""
    pixel_format: str
    quality: int | None
    preset: str | None
    lossless: bool
    options: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = field(default=())
    """Sentences: what differs from the source, and why."""

    @property
    def summary(self) -> str:
        """One line for a person."""
        how = "lossless" if self.lossless else f"quality {self.quality}"
        return f"{self.encoder} ({self.codec}), {self.pixel_format}, {how}, in {self.container}"


def choose_encoder(info: VideoInfo, out_path: Path, settings: EncoderSettings) -> EncoderChoice:
    """Decide how the result of a clip is written to ``out_path``.

    Raises:
        InputError: a container, a codec or a combination that is not possible.
    """
    container = find_container(out_path)
    notes: list[str] = []
    source = info
    if not settings.lossless:
        info = _playable(info, container, notes)
    if settings.codec != "auto":
        name = _named(settings, container, out_path)
    elif settings.lossless:
        name = _lossless(info, container, out_path)
    else:
        name = _default(info, container, notes)
    layout = find_layout(source.pixel_format)
    assert layout is not None, "a probed clip has a viewable format"
    pixel_format, exact = _pixel_format(name, info, container)
    if settings.lossless and not (_ENCODERS[name].lossless and exact):
        raise InputError(
            f"{name} cannot keep {info.pixel_format} without loss; "
            f"leave --codec out, or write a .mkv with --codec ffv1."
        )
    if name == "libx264" and layout.is_gray and pixel_format.startswith("gray"):
        notes.append("Grey is written as H.264, which players give out as 4:2:0 without colour.")
    if name == "prores_ks" and layout.bits > 10 and info.codec == "prores":
        notes.append(
            "ProRes is encoded from 10 bits a sample by the bundled FFmpeg, of the 12 decoded."
        )
    elif not exact or info is not source:
        notes.append(f"The pixel format changes from {source.pixel_format} to {pixel_format}.")
    written = find_layout(pixel_format)
    if layout.has_alpha and written is not None and not written.has_alpha:
        notes.append(
            f"{name} in {container} holds no transparency: it is dropped; write a .webm, a .mkv "
            "with --lossless, a ProRes .mov or a folder of PNGs to keep it."
        )
    notes.extend(f"{kind} data is not kept by re-encoding." for kind in info.dynamic_hdr)
    quality, preset = _quality(name, info, settings)
    options = encoder_options(name, info, quality, preset, settings.lossless)
    codec = _ENCODERS[name].codec
    return EncoderChoice(
        name,
        codec,
        container,
        pixel_format,
        None if settings.lossless else quality,
        preset,
        settings.lossless,
        tuple(options.items()),
        tuple(notes),
    )


def find_container(out_path: Path) -> str:
    """FFmpeg's name of the format that the ending of ``out_path`` asks for.

    Raises:
        InputError: no format that keeps what a clip holds.
    """
    container = CONTAINERS.get(out_path.suffix.lower())
    if container is None:
        raise InputError(
            f"{out_path.name} ends in {out_path.suffix or 'nothing'}; give a name that ends in "
            f"{', '.join(CONTAINERS)}, or a folder (ending in /) for PNGs."
        )
    return container


def _playable(info: VideoInfo, container: str, notes: list[str]) -> VideoInfo:
    """``info``, or for pictures and GIFs into .mp4 and .mov what every player opens."""
    layout = find_layout(info.pixel_format)
    assert layout is not None
    from_video = info.codec in _FAMILY
    if container not in ("mp4", "mov") or from_video or not layout.is_rgb:
        return info
    if layout.bits > 8 or (layout.has_alpha and container == "mov" and info.codec != "gif"):
        return info  # ProRes 4444 in .mov keeps transparency
    notes.append(
        "RGB is written as 4:2:0, which every player opens; write a .mkv, or add --lossless, to "
        "keep RGB."
    )
    return replace(info, pixel_format="yuv420p")


def _named(settings: EncoderSettings, container: str, out_path: Path) -> str:
    asked = settings.codec.lower()
    name = _ALIASES.get(asked, asked)
    if name not in _ENCODERS:
        known = ", ".join(sorted({*_ALIASES, *_ENCODERS}))
        raise InputError(f"There is no codec {settings.codec!r} here; there are: {known}.")
    if _ENCODERS[name].codec not in _CARRIES[container]:
        fitting = [s for s, c in CONTAINERS.items() if _ENCODERS[name].codec in _CARRIES[c]]
        raise InputError(
            f"{out_path.suffix} cannot hold {settings.codec}; write {', '.join(fitting)} instead, "
            "or leave --codec out."
        )
    return name


def _default(info: VideoInfo, container: str, notes: list[str]) -> str:
    layout = find_layout(info.pixel_format)
    assert layout is not None
    family = _FAMILY.get(info.codec)
    candidates = [family] if family else []
    if layout.has_alpha and info.codec != "gif":
        candidates += ["libvpx-vp9", "prores_ks", "ffv1"]
    candidates += _FALLBACKS
    fitting = [n for n in candidates if _ENCODERS[n].codec in _CARRIES[container]]
    best = min(fitting, key=lambda n: _loss(n, info, container))
    if info.codec == "prores" and family in fitting:
        best = "prores_ks"  # 4444 is decoded to 12 bits, whatever was encoded, and encoded from 10
    if best != family:
        why = (
            f"no encoder for {info.codec} is bundled or wanted"
            if family is None
            else f"{family} does not fit {container} or {info.pixel_format}"
        )
        notes.append(f"The codec changes from {info.codec} to {_ENCODERS[best].codec}: {why}.")
    return best


def _lossless(info: VideoInfo, container: str, out_path: Path) -> str:
    layout = find_layout(info.pixel_format)
    assert layout is not None
    # Grey H.264 is given out as 4:2:0 by decoders, grey HEVC as grey.
    order = sorted(_LOSSLESS_ORDER, key=lambda name: layout.is_gray and name == "libx264")
    for name in order:
        encoder = _ENCODERS[name]
        if encoder.codec in _CARRIES[container] and _pixel_format(name, info, container)[1]:
            return name
    raise InputError(
        f"{out_path.suffix} cannot hold {info.pixel_format} without loss; write a .mkv instead."
    )


@cache
def _formats(encoder: str) -> tuple[str, ...]:
    formats = av.Codec(encoder, "w").video_formats
    if not formats:
        raise MediaError(f"The bundled FFmpeg has no encoder {encoder}; choose another --codec.")
    return tuple(f.name for f in formats if f.name not in _UNUSABLE.get(encoder, ()))


# Formats that an encoder lists and then refuses.
_UNUSABLE = {
    "libx265": {"yuva420p", "yuva420p10le"},
    "libvpx-vp9": {"yuva422p", "yuva444p", "gbrap"},
}
_EVEN_ONLY = {"libx264", "libx265"}


def _pixel_format(encoder: str, info: VideoInfo, container: str) -> tuple[str, bool]:
    """The encoder's format nearest to the source's, and whether it holds the same samples."""
    layout = find_layout(info.pixel_format)
    assert layout is not None
    formats = [name for name in _formats(encoder) if _fits(encoder, name, info, container)]
    if layout.name in formats:
        return layout.name, True
    best = min(formats, key=lambda name: (_distance(name, layout), formats.index(name)))
    return best, _distance(best, layout) == 0


def _fits(encoder: str, name: str, info: VideoInfo, container: str) -> bool:
    """Whether the encoder takes the picture's size in that format: some want whole blocks."""
    layout = find_layout(name)
    if encoder == "libvpx-vp9" and container == "mp4" and layout is not None and layout.has_alpha:
        return False  # its transparency lies beside the packets, where only Matroska has room
    if encoder not in _EVEN_ONLY or layout is None:
        return True
    across, down = 1 << layout.x_shift, 1 << layout.y_shift
    return info.coded_width % across == 0 and info.coded_height % down == 0


def _loss(encoder: str, info: VideoInfo, container: str) -> int:
    layout = find_layout(info.pixel_format)
    assert layout is not None
    return _distance(_pixel_format(encoder, info, container)[0], layout)


def _distance(name: str, layout: Layout) -> int:
    """0: the same samples in another order; otherwise how bad a change to ``name`` is."""
    other = find_layout(name)
    if other is None or (name.startswith("yuvj") and not layout.name.startswith("yuvj")):
        return 1 << 20  # the range is a tag of its own everywhere else
    distance = 0
    if layout.has_alpha != other.has_alpha:
        distance += 1 << 12 if layout.has_alpha else 1 << 6
    if layout.is_rgb != other.is_rgb:
        distance += 1 << 10
    if layout.is_gray != other.is_gray:
        distance += 1 << (14 if other.is_gray else 5)
    if other.bits != layout.bits:
        distance += (layout.bits - other.bits) * 256 if other.bits < layout.bits else other.bits
    if not layout.is_gray:
        for ours, theirs in ((layout.x_shift, other.x_shift), (layout.y_shift, other.y_shift)):
            distance += 128 * (theirs - ours) if theirs > ours else 8 * (ours - theirs)
    return distance


def _quality(name: str, info: VideoInfo, settings: EncoderSettings) -> tuple[int, str | None]:
    encoder = _ENCODERS[name]
    asked = settings.quality
    if asked is not None and asked > encoder.worst:
        raise InputError(
            f"Quality {asked} is not on the scale of {name}; give 0 (best) to {encoder.worst}."
            if encoder.worst
            else f"{name} has no scale of quality; leave --quality out."
        )
    quality = asked if asked is not None else encoder.quality + _thrift(info, encoder)
    return quality, _preset(name, settings)


def _preset(name: str, settings: EncoderSettings) -> str | None:
    known = _PRESETS.get(name, ())
    if settings.preset is not None and settings.preset not in known:
        scale = f"give one of: {', '.join(known)}" if known else "leave --preset out"
        raise InputError(f"{name} has no preset {settings.preset!r}; {scale}.")
    return settings.preset or _ENCODERS[name].preset


def _thrift(info: VideoInfo, encoder: _Encoder) -> int:
    """Steps of quality to leave where the source itself has few bits a pixel.

    A source of few bits is smooth: it survives a coarser step at the same PSNR, and a fine one
    would only spend bits on its artefacts.
    """
    if info.bit_rate is None or not info.average_rate or not encoder.worst:
        return 0
    bits = info.bit_rate / float(info.average_rate * info.coded_width * info.coded_height)
    return sum(bits < limit for limit in _FEW_BITS)


_FEW_BITS = (0.5, 0.3, 0.1, 0.1, 0.02)  # bits a pixel below each of which a step is left


_PRORES_TAGS = {
    "proxy": "apco",
    "lt": "apcs",
    "standard": "apcn",
    "hq": "apch",
    "4444": "ap4h",
    "4444xq": "ap4x",
}


def codec_tag(choice: EncoderChoice) -> str | None:
    """The four letters by which the container calls the codec; None where the usual ones do."""
    if choice.codec == "prores":
        return _PRORES_TAGS[dict(choice.options)["profile"]]
    if choice.codec == "hevc" and choice.container in ("mp4", "mov"):
        return "hvc1"  # the one tag that every player takes
    return None
