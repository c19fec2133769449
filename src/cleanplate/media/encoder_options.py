"""A choice of encoder in the words of FFmpeg's options."""

from __future__ import annotations

import re

from cleanplate.media.layout import find_layout
from cleanplate.types import VideoInfo


def encoder_options(
    name: str, info: VideoInfo, quality: int, preset: str | None, lossless: bool
) -> dict[str, str]:
    """The options of the encoder ``name`` by FFmpeg's names: quality, preset, and what is kept of
    the source's mastering data, profile and place of chroma.
    """
    options: dict[str, str] = {}
    if info.chroma_location != "unspecified":
        options["chroma_sample_location"] = info.chroma_location
    if name in ("libx264", "libx264rgb"):
        options |= {
            "preset": preset or "",
            "qp" if lossless else "crf": str(0 if lossless else quality),
        }
        options |= _private("x264-params", _hdr(info, "mastering-display", "cll"))
    elif name == "libx265":
        options |= {"preset": preset or ""}
        params = {"log-level": "error"} | _hdr(info, "master-display", "max-cll")
        params |= {"lossless": "1"} if lossless else {}
        options |= {} if lossless else {"crf": str(quality)}
        options |= _private("x265-params", params)
    elif name in ("libvpx-vp9", "libvpx"):
        options |= {"deadline": "good", "cpu-used": preset or "4", "b": "0"}
        if name == "libvpx-vp9":
            options |= {"row-mt": "1"} | ({"lossless": "1"} if lossless else {})
        options |= {} if lossless else {"crf": str(quality)}
        if name == "libvpx":
            options |= {"b": "200M", "qmin": "0"}
    elif name == "libsvtav1":
        options |= {"preset": preset or "8", "crf": str(quality)}
        options |= _private("svtav1-params", _hdr(info, "mastering-display", "content-light"))
        if info.mastering_display:
            options["svtav1-params"] = _in_units(options["svtav1-params"])
    elif name == "prores_ks":
        deep = find_layout(info.pixel_format)
        rich = deep is not None and (deep.has_alpha or deep.is_rgb or not deep.x_shift)
        profile = _PRORES_PROFILES.get(info.profile or "") if info.codec == "prores" else None
        profile = profile or ("4444" if rich else "hq")
        options |= {"profile": profile, "vendor": "apl0", "alpha_bits": "16"}
    elif name == "ffv1":
        options |= {"level": "3", "slicecrc": "1", "g": "1"}
    return options


_PRORES_PROFILES = {
    "Proxy": "proxy",
    "LT": "lt",
    "Standard": "standard",
    "HQ": "hq",
    "4444": "4444",
    "XQ": "4444xq",
}


def _hdr(info: VideoInfo, mastering: str, light: str) -> dict[str, str]:
    options = {}
    if info.mastering_display:
        options[mastering] = info.mastering_display
    if info.content_light:
        options[light] = f"{info.content_light[0]},{info.content_light[1]}"
    return options


def _in_units(params: str) -> str:
    """Mastering data as SVT-AV1 reads it: chromaticities and candelas, not x265's integers."""

    def scaled(value: re.Match[str]) -> str:
        unit = 10000 if value[1] == "L" else 50000
        return f"{value[1]}({int(value[2]) / unit:g},{int(value[3]) / unit:g})"

    return re.sub(r"(G|B|R|WP|L)\((\d+),(\d+)\)", scaled, params)


def _private(option: str, params: dict[str, str]) -> dict[str, str]:
    return {option: ":".join(f"{k}={v}" for k, v in params.items())} if params else {}
