"""The whole way out and back: what was not to change has not changed."""

from __future__ import annotations

import dataclasses
import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from media_make import make_frame, make_video, packets_of, remake, samples, times

from cleanplate.errors import InputError, MediaError
from cleanplate.media.assemble import assemble
from cleanplate.media.codecs import choose_encoder
from cleanplate.media.composite import Patch, composite
from cleanplate.media.encode import encode_piece
from cleanplate.media.orientation import Orientation, make_matrix
from cleanplate.media.picture import Picture
from cleanplate.media.read import open_clip
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.types import Box

VFR = [0, 3, 4, 9, 10, 20, 21, 22, 40, 41, 60, 70, 80, 81, 82, 83, 99, 120, 121, 122]
LOSSLESS = EncoderSettings(lossless=True)
INTERLACED = (1 << 18) | (1 << 29)
MILLISECOND = Fraction(1, 1000)


def fill(picture: Picture) -> Picture:
    """A soft-edged coloured patch in the middle."""
    w, h = picture.width, picture.height
    box = Box(w // 4, h // 4, max(w // 4 + 1, 3 * w // 4), max(h // 4 + 1, 3 * h // 4))
    alpha = np.zeros((box.height, box.width), np.float32)
    alpha[1:-1, 1:-1] = np.linspace(0.1, 1, max(0, box.width - 2))
    image = np.full((box.height, box.width, 3), (200, 60, 90), np.uint8)
    return composite(picture, [Patch(box, image, alpha)])


def assert_same_samples(source: Path, out: Path) -> None:
    for old, new in zip(open_clip(source).pictures(), open_clip(out).pictures(), strict=True):
        wanted, found = samples(fill(old)), samples(new)
        assert set(wanted) == set(found)
        for role, values in wanted.items():
            assert np.array_equal(values, found[role]), (new.index, role)


# Time


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    "timing",
    [
        {"rate": Fraction(30000, 1001)},
        {"pts": VFR, "time_base": Fraction(1, 600)},
        {"pts": [p + 1337 for p in VFR], "time_base": Fraction(1, 1000)},
        {"audio": 1.0},
        {"audio": 1.0, "audio_start": Fraction(1, 3)},
        {"pts": [1000 * n + 3337 for n in range(20)], "time_base": Fraction(1, 24000), "audio": 1},
    ],
)
def test_every_picture_keeps_its_time(tmp_path: Path, ending: str, timing: dict[str, Any]) -> None:
    source, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    make_video(source, **timing)
    report = remake(source, out)
    assert times(out) == times(source)
    assert report.frames == 20
    assert report.warnings == []


def test_matroska_rounds_times_to_its_millisecond_and_no_further(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", rate=Fraction(30000, 1001), count=50)
    remake(source, tmp_path / "out.mkv")
    for old, new in zip(times(source), times(tmp_path / "out.mkv"), strict=True):
        assert abs(old - new) <= MILLISECOND / 2


def test_sound_before_time_zero_moves_all_streams_alike_in_matroska(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", audio=1.0, rate=Fraction(25))
    report = remake(source, tmp_path / "out.mkv")
    old, new = packets_of(source, "audio"), packets_of(tmp_path / "out.mkv", "audio")
    apart = new[0][0] - old[0][0]
    assert abs(apart - report.shift) <= MILLISECOND
    for before, after in zip(times(source), times(tmp_path / "out.mkv"), strict=True):
        assert abs(after - before - report.shift) <= MILLISECOND / 2
    assert bool(report.shift) == any("start" in warning for warning in report.warnings)


@pytest.mark.parametrize("piece", [1, 3, 20, 100])
@pytest.mark.parametrize("name", ["in.mp4", "in.ts", "in.avi", "in.flv"])
def test_pieces_of_any_length_join_without_a_trace(tmp_path: Path, name: str, piece: int) -> None:
    codec = "mpeg4" if name.endswith("avi") else "libx264"
    source = make_video(tmp_path / name, codec=codec)
    remake(source, tmp_path / "out.mp4", piece=piece)
    assert times(tmp_path / "out.mp4") == times(source)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stamps = [p.dts for p in container.demux(video=0) if p.size]
        assert stamps == sorted(set(stamps))


def test_a_span_starts_at_zero_with_its_sound(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", count=72, audio=3.0)
    remake(source, tmp_path / "out.mp4", start=Fraction(1), end=Fraction(2))
    assert times(tmp_path / "out.mp4") == [Fraction(n, 24) for n in range(24)]
    sound = packets_of(tmp_path / "out.mp4", "audio")
    original = [data for time, data in packets_of(source, "audio") if 1 <= time < 2]
    assert [data for _, data in sound] == original
    assert 0 <= sound[0][0] < Fraction(1024, 48000)


# What lies beside the picture


def add_extras(out: av.container.OutputContainer) -> Any:
    words = out.add_mux_stream("subrip" if out.format.name == "matroska" else "mov_text")
    words.metadata.update({"language": "fra", "title": "Sous-titres"})
    words.time_base = MILLISECOND
    if out.format.name == "matroska":
        out.add_attachment("font.ttf", "application/x-truetype-font", b"no font" * 9)
    out.set_chapters(
        [
            {"id": n, "start": n * 400, "end": n * 400 + 400, "time_base": MILLISECOND,
             "metadata": {"title": f"Part {n}"}}
            for n in range(2)
        ]
    )  # fmt: skip
    return words


def write_words(out: av.container.OutputContainer, stream: Any) -> None:
    for number in range(2):
        text = f"Line {number}".encode()
        if out.format.name != "matroska":
            text = len(text).to_bytes(2, "big") + text
        packet = av.Packet(text)
        packet.pts = packet.dts = number * 300
        packet.duration, packet.time_base, packet.stream = 200, MILLISECOND, stream
        out.mux(packet)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_all_that_lies_beside_the_picture_is_copied(tmp_path: Path, ending: str) -> None:
    source, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    make_video(
        source,
        audio=1.0,
        before=add_extras,
        packets=write_words,
        metadata={"title": "A title", "comment": "A word"},
        stream_metadata={"language": "deu"},
    )
    report = remake(source, out)
    old, new = open_clip(source).info, open_clip(out).info
    assert report.dropped == []
    assert new.streams == old.streams
    assert new.chapters == old.chapters
    assert len(new.chapters) == 2
    tags = {key.lower(): value for key, value in new.metadata}
    assert (tags["title"], tags["comment"]) == ("A title", "A word")
    for kind in ("audio", "subtitle"):
        before, after = packets_of(source, kind), packets_of(out, kind)
        assert [data for _, data in after] == [data for _, data in before]
        for (t, _), (u, _) in zip(before, after, strict=True):
            assert abs(u - t - report.shift) <= (MILLISECOND if ending == "mkv" else 0)
    with av.open(str(source)) as a, av.open(str(out)) as b:
        languages = [c.streams.video[0].metadata.get("language") for c in (a, b)]
        assert languages[0] == languages[1]
        assert [s.data for s in b.streams.attachments] == [s.data for s in a.streams.attachments]
        assert [s.disposition for s in b.streams] == [s.disposition for s in a.streams]


def test_a_stream_that_the_container_cannot_carry_is_named(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", audio=1.0, before=add_extras, packets=write_words)
    report = remake(source, tmp_path / "out.mp4")
    assert {s.kind for s in report.dropped} == {"subtitle", "attachment"}
    assert "subtitle #" in report.warnings[0]
    assert "subrip" in report.warnings[0]
    with pytest.raises(MediaError, match="cannot carry"):
        remake(source, tmp_path / "strict.mp4", strict=True)
    assert not (tmp_path / "strict.mp4").exists()


def add_cover(out: av.container.OutputContainer) -> av.VideoStream:
    cover = out.add_stream("png", rate=1)
    cover.width, cover.height, cover.pix_fmt = 16, 16, "rgb24"
    cover.disposition = av.stream.Disposition.attached_pic
    return cover


def write_cover(out: av.container.OutputContainer, cover: av.VideoStream) -> None:
    frame = make_frame(0, 16, 16, "rgb24")
    frame.pts = 0
    out.mux(cover.encode(frame))
    out.mux(cover.encode(None))


def test_a_cover_picture_is_kept_from_container_to_container(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4", before=add_cover, packets=write_cover, audio=1.0, count=5
    )
    steps = [source, tmp_path / "one.mkv", tmp_path / "two.mkv", tmp_path / "three.mp4"]
    for old, new in itertools.pairwise(steps):
        assert remake(old, new).dropped == []
    covers = []
    for path in steps:
        with av.open(str(path)) as container:
            found = [s for s in container.streams.video if "attached_pic" in s.disposition.name]
            covers += [bytes(p) for p in container.demux(found[0]) if p.size]
    assert covers == covers[:1] * 4


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_a_timecode_is_kept(tmp_path: Path, ending: str) -> None:
    source = make_video(tmp_path / "in.mov", count=5, stream_metadata={"timecode": "01:02:03:04"})
    assert [s.kind for s in open_clip(source).info.streams] == ["data"]
    report = remake(source, tmp_path / f"out.{ending}")
    assert report.warnings == []
    with av.open(str(tmp_path / f"out.{ending}")) as container:
        tags = {k.lower(): v for k, v in container.streams.video[0].metadata.items()}
    assert tags["timecode"] == "01:02:03:04"


@pytest.mark.parametrize("default", [0, 1])
def test_a_second_video_stream_is_copied_as_it_is(tmp_path: Path, default: int) -> None:
    def add_second(out: av.container.OutputContainer) -> av.VideoStream:
        second = out.add_stream("libx264", rate=24)
        second.width, second.height, second.pix_fmt = 32, 32, "yuv420p"
        out.streams.video[default].disposition = av.stream.Disposition.default
        return second

    def write_second(out: av.container.OutputContainer, stream: av.VideoStream) -> None:
        for number in range(20):
            frame = make_frame(number, 32, 32, "yuv420p")
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))

    source = make_video(tmp_path / "in.mkv", before=add_second, packets=write_second)
    report = remake(source, tmp_path / "out.mkv", change=fill)
    for path in (source, tmp_path / "out.mkv"):
        info = open_clip(path).info
        assert (info.video_streams, info.stream_index) == (2, default)
        assert (info.width, info.height) == ((64, 48), (32, 32))[default]
    assert [(s.kind, s.index) for s in report.copied] == [("video", 1 - default)]
    with av.open(str(source)) as a, av.open(str(tmp_path / "out.mkv")) as b:
        old, new = ([bytes(p) for p in c.demux(c.streams[1 - default]) if p.size] for c in (a, b))
    assert new == old


# Geometry and colour


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    "orientation", [Orientation(t, x, y) for t in (0, 1) for x in (0, 1) for y in (0, 1)]
)
def test_a_turned_picture_stays_stored_and_turned_as_it_was(
    tmp_path: Path, orientation: Orientation, ending: str
) -> None:
    source, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    make_video(source, matrix=make_matrix(orientation), count=5)
    remake(source, out, LOSSLESS, fill)
    old, new = open_clip(source).info, open_clip(out).info
    assert new.display_matrix == old.display_matrix
    assert (new.coded_width, new.coded_height) == (64, 48)
    assert_same_samples(source, out)


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
@pytest.mark.parametrize(
    ("codec", "pixel_format", "color"),
    [
        ("libx264", "yuv420p", (1, 1, 1, 1)),
        ("libx264", "yuv422p", (2, 6, 6, 6)),
        ("libx264", "yuv444p10le", (1, 9, 14, 9)),
        ("libx265", "yuv420p10le", (1, 9, 16, 9)),
        ("libsvtav1", "yuv420p10le", (1, 9, 16, 9)),
    ],
)
def test_tags_of_colour_and_shape_are_kept(
    tmp_path: Path, codec: str, pixel_format: str, color: tuple[int, ...], ending: str
) -> None:
    names = ("color_range", "color_primaries", "color_trc", "colorspace")
    if codec == "libsvtav1" and ending == "mov":
        pytest.skip("QuickTime has no AV1")
    options = {"chroma_sample_location": "topleft"}
    if codec == "libsvtav1":
        options["svtav1-params"] = (
            "content-light=1000,400:mastering-display="
            "G(0.265,0.69)B(0.15,0.06)R(0.68,0.32)WP(0.3127,0.329)L(1000,0.0001)"
        )
    if codec == "libx265":
        options["x265-params"] = (
            "log-level=none:max-cll=1000,400:master-display="
            "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)"
        )
    source, out = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    make_video(
        source,
        codec=codec,
        pixel_format=pixel_format,
        color=dict(zip(names, color, strict=True)),
        aspect=Fraction(1280, 1281),
        options=options,
        count=4,
    )
    report = remake(source, out)
    old, new = open_clip(source).info, open_clip(out).info
    kept = (
        "pixel_format color_range primaries transfer matrix chroma_location sample_aspect_ratio "
        "mastering_display content_light field_order codec"
    )
    for name in kept.split():
        assert getattr(new, name) == getattr(old, name), name
    assert report.warnings == []


def test_a_tag_that_the_result_cannot_hold_is_named(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", aspect=Fraction(16, 11), count=3)
    report = remake(source, tmp_path / "out.webm")
    assert any("sample aspect ratio" in warning for warning in report.warnings)


@pytest.mark.parametrize("field_order", [2, 3])
def test_interlaced_pictures_stay_interlaced(tmp_path: Path, field_order: int) -> None:
    source = make_video(
        tmp_path / "in.mp4", size=(64, 64), flags=INTERLACED, field_order=field_order
    )
    remake(source, tmp_path / "out.mp4", LOSSLESS, fill)
    old, new = open_clip(source), open_clip(tmp_path / "out.mp4")
    assert new.info.field_order == old.info.field_order != "progressive"
    assert all(p.frame.interlaced_frame for p in new.pictures())
    assert_same_samples(source, tmp_path / "out.mp4")


# Samples

_X264 = (
    "yuv420p yuv422p yuv444p yuvj420p yuvj444p yuv420p10le yuv422p10le yuv444p10le gray gray10le"
)
_FFV1 = (
    "yuva420p yuva444p10le yuva422p16le gbrp10le gbrap10le bgr0 bgra rgb48le rgba64le gray16le ya8 "
    "yuv411p yuv440p yuv410p yuv420p16le"
)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "names", "size"),
    [
        *(("libx264", f, ("in.mp4", "out.mp4"), (64, 48)) for f in _X264.split()),
        ("libx264", "yuv420p", ("in.mov", "out.mov"), (64, 48)),
        ("libx264", "nv12", ("in.mp4", "out.mkv"), (64, 48)),
        *(
            ("libx265", f, ("in.mp4", "out.mp4"), (64, 48))
            for f in ("gbrp", "gbrp10le", "yuv420p12le", "gray12le")
        ),
        *(("ffv1", f, ("in.mkv", "out.mkv"), (53, 37)) for f in _FFV1.split()),
        ("ffv1", "yuv420p", ("in.mkv", "out.mp4"), (17, 19)),
        ("ffv1", "yuv420p", ("in.mkv", "out.mkv"), (16, 16)),
        ("libvpx-vp9", "yuv420p", ("in.webm", "out.webm"), (65, 33)),
        ("libvpx-vp9", "yuva420p", ("in.webm", "out.webm"), (64, 48)),
        ("prores_ks", "yuv422p10le", ("in.mov", "out.mov"), (64, 48)),
        ("rawvideo", "yuyv422", ("in.avi", "out.mp4"), (64, 48)),
        ("mjpeg", "yuvj422p", ("in.mov", "out.mov"), (64, 48)),
    ],
)
def test_lossless_keeps_every_sample_outside_the_fill(
    tmp_path: Path, codec: str, pixel_format: str, names: tuple[str, str], size: tuple[int, int]
) -> None:
    source, out = tmp_path / names[0], tmp_path / names[1]
    options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
    make_video(source, codec=codec, pixel_format=pixel_format, size=size, options=options, count=9)
    remake(source, out, LOSSLESS, fill, piece=4)
    assert_same_samples(source, out)


@pytest.mark.parametrize(
    ("codec", "pixel_format", "name", "out"),
    [
        ("libx264", "yuv420p", "in.mp4", "h264"),
        ("libx265", "yuv420p10le", "in.mp4", "hevc"),
        ("libvpx-vp9", "yuv420p", "in.webm", "vp9"),
        ("libvpx", "yuv420p", "in.webm", "vp8"),
        ("libsvtav1", "yuv420p10le", "in.mp4", "av1"),
        ("prores_ks", "yuv422p10le", "in.mov", "prores"),
        ("ffv1", "yuv420p", "in.mkv", "ffv1"),
    ],
)
def test_the_codec_family_and_the_pixel_format_are_kept(
    tmp_path: Path, codec: str, pixel_format: str, name: str, out: str
) -> None:
    quiet = {"libx265": {"x265-params": "log-level=none"}, "libsvtav1": {"preset": "10"}}
    source = make_video(
        tmp_path / name, codec=codec, pixel_format=pixel_format, options=quiet.get(codec), count=6
    )
    target = tmp_path / f"out{source.suffix}"
    remake(source, target)
    new = open_clip(target).info
    assert (new.codec, new.pixel_format) == (out, pixel_format)
    assert times(target) == times(source)


def test_transparency_is_kept_where_it_can_be_and_named_where_not(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.webm", codec="libvpx-vp9", pixel_format="yuva420p", count=4)
    for name in ("out.webm", "out.mov"):
        remake(source, tmp_path / name, change=fill)
        old = samples(next(open_clip(source).pictures()))["a"].astype(float)
        picture = next(open_clip(tmp_path / name).pictures())
        top = (1 << picture.palette.layout.bits) - 1
        new = samples(picture)["a"].astype(float) * 255 / top
        assert np.abs(old - new).mean() < 3, name
    choice = choose_encoder(open_clip(source).info, tmp_path / "o.mp4", EncoderSettings())
    assert any("transparency" in note for note in choice.notes)


def test_rgb_that_becomes_luma_and_chroma_keeps_its_colours(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", pixel_format="bgr0", count=2)
    settings = EncoderSettings(codec="vp9", quality=0)
    remake(source, tmp_path / "out.webm", EncoderSettings(codec="vp8", quality=0))
    remake(source, tmp_path / "out.mkv", settings)
    for name in ("out.webm", "out.mkv"):
        old = next(open_clip(source).pictures()).rgb().astype(float)
        new = next(open_clip(tmp_path / name).pictures()).rgb().astype(float)
        assert np.abs((new - old).mean((0, 1))).max() < 2.5, name


# What cannot be done


@pytest.mark.parametrize(
    ("out", "settings", "sentence"),
    [
        ("out.avi", {}, r"out\.avi ends in \.avi; .*\.mkv"),
        ("out", {}, "ends in nothing"),
        ("out.mov", {"codec": "vp9"}, r"\.mov cannot hold vp9; write .*\.mkv"),
        ("out.webm", {"codec": "h264"}, r"\.webm cannot hold h264"),
        ("out.mp4", {"codec": "wmv9"}, "no codec 'wmv9'"),
        ("out.mp4", {"quality": 99}, "not on the scale of libx264"),
        ("out.mov", {"codec": "prores", "quality": 3}, "no scale of quality"),
        ("out.mov", {"codec": "prores", "preset": "fast"}, "leave --preset out"),
        ("out.mp4", {"preset": "quick"}, "libx264 has no preset 'quick'; .* veryslow"),
        ("out.webm", {"preset": "fast"}, "libvpx-vp9 has no preset 'fast'; .* 0, 1"),
        ("out.mov", {"codec": "prores", "lossless": True}, "without loss"),
    ],
)
def test_an_impossible_wish_is_one_clear_sentence(
    tmp_path: Path, out: str, settings: dict[str, Any], sentence: str
) -> None:
    info = open_clip(make_video(tmp_path / "in.mp4", count=2)).info
    with pytest.raises(InputError, match=sentence):
        choose_encoder(info, tmp_path / out, EncoderSettings(**settings))


def test_an_encoder_that_refuses_leaves_nothing_behind(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", count=2)
    info = open_clip(source).info
    choice = choose_encoder(info, tmp_path / "o.mp4", EncoderSettings())
    choice = dataclasses.replace(choice, options=(("preset", "no such"),))
    folder = tmp_path / "work"
    with pytest.raises(MediaError, match="libx264 cannot write"):
        encode_piece(open_clip(source).pictures(), folder / "0.mkv", info, choice)
    assert list(folder.iterdir()) == []


def test_a_piece_that_fails_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    clip = open_clip(source)
    choice = choose_encoder(clip.info, tmp_path / "o.mp4", EncoderSettings())

    def broken() -> Any:
        yield from clip.pictures(0, 5)
        raise RuntimeError("the engine fell over")

    folder = tmp_path / "work"
    with pytest.raises(RuntimeError, match="fell over"):
        encode_piece(broken(), folder / "0.mkv", clip.info, choice)
    assert list(folder.iterdir()) == []


def test_pieces_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4")
    clip = open_clip(source)
    fast, slow = (
        choose_encoder(clip.info, tmp_path / "o.mp4", EncoderSettings(preset=p))
        for p in ("ultrafast", "slow")
    )
    one = encode_piece(clip.pictures(0, 10), tmp_path / "1.mkv", clip.info, fast)
    two = encode_piece(clip.pictures(10), tmp_path / "2.mkv", clip.info, slow)
    assert (one.count, one.first_index, two.first_index) == (10, 0, 10)
    out = tmp_path / "out.mp4"
    with pytest.raises(MediaError, match="other settings"):
        assemble(source, [one.path, two.path], out, clip.info, fast)
    with pytest.raises(MediaError, match="does not follow"):
        assemble(source, [one.path, one.path], out, clip.info, fast)
    assert not out.exists()


def test_a_picture_that_does_not_come_later_is_refused(tmp_path: Path) -> None:
    clip = open_clip(make_video(tmp_path / "in.mp4"))
    choice = choose_encoder(clip.info, tmp_path / "o.mp4", EncoderSettings())
    first, second = clip.pictures(0, 2)
    with pytest.raises(MediaError, match="does not come after"):
        encode_piece([second, first], tmp_path / "0.mkv", clip.info, choice)


def test_the_result_is_checked_before_it_appears(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import cleanplate.media.assemble as module

    whole = module._video_packets

    def lossy(*args: Any) -> Any:
        packets = list(whole(*args))
        return iter(packets[:-1])

    monkeypatch.setattr(module, "_video_packets", lossy)
    source = make_video(tmp_path / "in.mp4")
    with pytest.raises(MediaError, match="would hold 19 frames instead of 20"):
        remake(source, tmp_path / "out.mp4")
    assert not (tmp_path / "out.mp4").exists()
    assert not [p for p in tmp_path.iterdir() if ".part" in p.name]


def test_a_still_image_and_a_folder_of_images_become_a_clip(tmp_path: Path) -> None:
    folder = tmp_path / "frames"
    folder.mkdir()
    for number in range(4):
        make_frame(number, 32, 24, "rgb24").save(folder / f"{number}.png")
    remake(folder, tmp_path / "out.mkv", LOSSLESS, fill)
    assert_same_samples_rgb(folder, tmp_path / "out.mkv")
    remake(folder / "2.png", tmp_path / "one.mkv", LOSSLESS, fill)
    assert times(tmp_path / "one.mkv") == [0]


@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_pictures_become_a_clip_that_every_player_opens_in_the_same_colours(
    tmp_path: Path, ending: str
) -> None:
    folder, out = tmp_path / "frames", tmp_path / f"out{ending}"
    folder.mkdir()
    for number in range(4):
        make_frame(number, 64, 48, "rgb24").save(folder / f"{number}.png")
    choice = choose_encoder(open_clip(folder).info, out, EncoderSettings())
    assert (choice.codec, choice.pixel_format) == ("h264", "yuv420p")
    assert any("4:2:0" in note for note in choice.notes)
    remake(folder, out)
    for old, new in zip(open_clip(folder).pictures(), open_clip(out).pictures(), strict=True):
        shift = new.rgb().mean((0, 1)) - old.rgb().mean((0, 1))
        assert np.abs(shift).max() < 1.5


def assert_same_samples_rgb(source: Path, out: Path) -> None:
    for old, new in zip(open_clip(source).pictures(), open_clip(out).pictures(), strict=True):
        assert np.array_equal(fill(old).rgb(), new.rgb())


def test_the_choice_can_be_printed(tmp_path: Path) -> None:
    info = open_clip(make_video(tmp_path / "in.mp4", count=2)).info
    choice = choose_encoder(info, tmp_path / "o.mp4", EncoderSettings())
    assert choice.summary.startswith("libx264 (h264), yuv420p, quality ")
    assert dataclasses.asdict(choice)["container"] == "mp4"


def test_a_truncated_clip_is_remade_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = make_video(
        tmp_path / "whole.mp4", count=96, audio=4.0, container_options={"movflags": "faststart"}
    )
    source, out = tmp_path / "cut.mp4", tmp_path / "out.mp4"
    source.write_bytes(whole.read_bytes()[: whole.stat().st_size * 3 // 4])
    report = remake(source, out)
    assert 0 < report.frames < 96
    assert times(out) == times(source) == times(whole)[: report.frames]
    sound = packets_of(out, "audio")
    assert sound == packets_of(whole, "audio")[: len(sound)]
    assert len(sound) > 100
    assert report.warnings == ["1 damaged packets of the source's other streams are left out."]


@pytest.mark.parametrize("size", [(16, 16), pytest.param((7680, 4320), marks=pytest.mark.slow)])
def test_one_frame_of_any_size_makes_the_way(tmp_path: Path, size: tuple[int, int]) -> None:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[::2, ::3] = (30, 160, 220)
    cv2.imwrite(str(tmp_path / "in.png"), image)
    settings = EncoderSettings(codec="h264", preset="ultrafast")
    remake(tmp_path / "in.png", tmp_path / "out.mp4", settings, fill)
    info = open_clip(tmp_path / "out.mp4").info
    assert (info.width, info.height) == size
    assert times(tmp_path / "out.mp4") == [0]


# The real clips


@pytest.mark.clips
@pytest.mark.parametrize("name", ["cat-vfr", "MG4car", "dogs-jump"])
def test_real_clips_keep_their_times_sound_and_looks(
    clips: Path, tmp_path: Path, name: str
) -> None:
    source, out = clips / name / "video.mp4", tmp_path / "out.mp4"
    report = remake(source, out, piece=250)
    assert times(out) == times(source)
    assert packets_of(out, "audio") == packets_of(source, "audio")
    assert report.warnings == []
    assert out.stat().st_size <= 2.5 * source.stat().st_size
    error = count = 0
    for old, new in zip(open_clip(source).pictures(), open_clip(out).pictures(), strict=True):
        a, b = samples(old), samples(new)
        error += sum(float(((a[k].astype(int) - b[k]) ** 2).sum()) for k in a)
        count += sum(v.size for v in a.values())
    assert 10 * np.log10(255**2 * count / error) >= 45


def write_with_thumbnail(path: Path, first: str) -> Path:
    """A clip of 20 pictures beside a stream of one, unmarked but for being the default."""
    with av.open(str(path), "w") as out:
        streams = {}
        for name in sorted(("clip", "thumbnail"), key=lambda name: name != first):
            stream = out.add_stream("libx264", rate=25)
            size = (64, 48) if name == "clip" else (32, 32)
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            streams[name] = stream
        streams["thumbnail"].disposition = av.stream.Disposition.default
        streams["clip"].disposition = av.stream.Disposition(0)
        for name, count in (("clip", 20), ("thumbnail", 1)):
            stream = streams[name]
            for index in range(count):
                image = np.full((stream.height, stream.width, 3), 40 + 8 * index, np.uint8)
                frame = av.VideoFrame.from_ndarray(image)
                frame.pts = index
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize("first", ["clip", "thumbnail"])
def test_a_default_stream_of_one_picture_is_not_taken_for_the_clip(
    tmp_path: Path, suffix: str, first: str
) -> None:
    with open_clip(write_with_thumbnail(tmp_path / f"drone{suffix}", first)) as clip:
        assert (clip.info.width, clip.info.height) == (64, 48)
        assert sum(1 for _ in clip.pictures()) == 20
        assert any("--stream N takes another" in sentence for sentence in clip.warnings)


def test_another_video_stream_can_be_named(tmp_path: Path) -> None:
    path = write_with_thumbnail(tmp_path / "drone.mkv", "clip")
    with open_clip(path, stream=1) as clip:
        assert (clip.info.width, clip.info.height) == (32, 32)
    with pytest.raises(InputError, match="its video streams are: 0, 1"):
        open_clip(path, stream=7)
