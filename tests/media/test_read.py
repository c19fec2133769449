"""Reading: every picture once, in order, at its time, with its own index, or one clear sentence."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_make import make_frame, make_video, samples, times

from cleanplate.errors import CleanplateError, InputError, MediaError
from cleanplate.media.images import find_images
from cleanplate.media.read import open_clip

GROUPS = {"x264-params": "keyint=6:min-keyint=6:bframes=2:scenecut=0"}
OPEN_GROUPS = {"x264-params": "keyint=6:min-keyint=6:bframes=3:open-gop=1:scenecut=0"}
VFR = [0, 3, 4, 9, 10, 20, 21, 22, 40, 41, 60, 70, 80, 81, 82, 83, 99, 120, 121, 122]


@pytest.fixture
def grouped(tmp_path: Path) -> Path:
    return make_video(tmp_path / "grouped.mp4", options=GROUPS, count=40)


@pytest.mark.parametrize("options", [GROUPS, OPEN_GROUPS])
@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_reading_from_any_picture_gives_the_same_pictures(
    tmp_path: Path, ending: str, options: dict[str, str]
) -> None:
    path = make_video(tmp_path / f"clip.{ending}", options=options, count=30)
    clip = open_clip(path)
    whole = [(p.index, p.time, samples(p)) for p in clip.pictures()]
    assert [i for i, _, _ in whole] == list(range(30))
    for start in (1, 5, 6, 7, 17, 29):
        for (i, time, old), picture in zip(whole[start:], clip.pictures(start), strict=True):
            assert (picture.index, picture.time) == (i, time)
            assert all(np.array_equal(old[k], v) for k, v in samples(picture).items())
    assert [p.index for p in clip.pictures(4, 9)] == [4, 5, 6, 7, 8]
    assert list(clip.pictures(30)) == []


@pytest.mark.parametrize("budget", [1, 64 * 48 * 4, 1 << 28])
def test_reading_backwards_is_reading_forwards_reversed(grouped: Path, budget: int) -> None:
    clip = open_clip(grouped)
    forwards = [(p.index, p.time, samples(p)["y"]) for p in clip.pictures(3, 38)]
    backwards = clip.pictures_backward(37, 3, budget)
    for (index, time, old), picture in zip(reversed(forwards), backwards, strict=True):
        assert (picture.index, picture.time) == (index, time)
        assert np.array_equal(old, samples(picture)["y"])


def test_reading_backwards_from_behind_the_end_says_so(grouped: Path) -> None:
    with pytest.raises(MediaError, match="no frame 99"):
        next(open_clip(grouped).pictures_backward(99))


def test_two_readers_of_one_clip_do_not_disturb_each_other(grouped: Path) -> None:
    clip = open_clip(grouped)
    for one, other in zip(clip.pictures(), clip.pictures(10), strict=False):
        assert other.index == one.index + 10


def test_variable_rates_and_offsets_are_read_exactly(tmp_path: Path) -> None:
    path = make_video(tmp_path / "vfr.mp4", pts=VFR, time_base=Fraction(1, 600))
    assert times(path) == [Fraction(p, 600) for p in VFR]
    path = make_video(
        tmp_path / "offset.mkv", pts=[p + 1500 for p in VFR], time_base=Fraction(1, 1000)
    )
    assert times(path) == [Fraction(p + 1500, 1000) for p in VFR]
    assert open_clip(path).info.start == Fraction(3, 2)


def test_the_broadcast_rate_stays_a_fraction(tmp_path: Path) -> None:
    path = make_video(tmp_path / "ntsc.mp4", rate=Fraction(30000, 1001))
    assert open_clip(path).info.average_rate == Fraction(30000, 1001)
    assert times(path)[19] == Fraction(19 * 1001, 30000)


def test_a_stream_without_timestamps_is_given_even_ones(tmp_path: Path) -> None:
    path = make_video(tmp_path / "raw.h264", count=10)
    found = times(path)
    assert len(found) == 10
    assert len({b - a for a, b in itertools.pairwise(found)}) == 1


def test_info_tells_what_is_in_the_file(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "clip.mp4",
        codec="libx265",
        pixel_format="yuv420p10le",
        aspect=Fraction(16, 11),
        matrix=(0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30),
        color={"color_range": 1, "color_primaries": 9, "color_trc": 16, "colorspace": 9},
        options={
            "chroma_sample_location": "topleft",
            "x265-params": "log-level=none:max-cll=1000,400:master-display="
            "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)",
        },
        audio=1.0,
        metadata={"title": "A title"},
    )
    info = open_clip(path).info
    assert (info.codec, info.pixel_format, info.bit_depth) == ("hevc", "yuv420p10le", 10)
    assert (info.width, info.height, info.coded_width, info.coded_height) == (48, 64, 64, 48)
    assert (info.rotation, info.mirrored) == (90, False)
    assert info.sample_aspect_ratio == Fraction(16, 11)
    assert (info.color_range, info.primaries, info.transfer, info.matrix) == (1, 9, 16, 9)
    assert info.chroma_location == "topleft"
    assert info.content_light == (1000, 400)
    assert info.mastering_display is not None
    assert info.mastering_display.startswith("G(13250,34500)B(7500,3000)")
    assert [(s.kind, s.codec) for s in info.streams] == [("audio", "aac")]
    assert dict(info.metadata)["title"] == "A title"
    assert info.frame_count == 20


def test_a_cover_picture_is_not_taken_for_the_clip(tmp_path: Path) -> None:
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

    path = make_video(tmp_path / "cover.mp4", before=add_cover, packets=write_cover)
    info = open_clip(path).info
    assert (info.width, info.height, info.video_streams) == (64, 48, 1)
    assert "attached_pic" in info.streams[0].dispositions


def test_a_truncated_file_gives_what_is_there_and_says_where_it_was_cut(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "whole.mp4",
        count=60,
        container_options={"movflags": "faststart"},
        options=GROUPS,
    )
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    clip = open_clip(cut)
    count = len(list(clip.pictures()))
    assert 10 < count < 60
    assert len(clip.warnings) >= 1
    assert f"cut off or damaged after frame {count - 1}" in clip.warnings[0]
    assert "60" in clip.warnings[0]


def test_a_truncated_matroska_file_says_so_too(tmp_path: Path) -> None:
    path = make_video(tmp_path / "whole.mkv", count=120, options=GROUPS)
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    clip = open_clip(cut)
    count = len(list(clip.pictures()))
    assert 10 < count < 120
    assert f"cut off after frame {count - 1}" in clip.warnings[0]


def test_a_header_that_promises_too_many_frames_is_named(tmp_path: Path) -> None:
    path = make_video(tmp_path / "lying.avi", codec="mpeg4", count=20)
    content = bytearray(path.read_bytes())
    place = content.index(b"strh") + 8 + 32  # dwLength of the stream's header
    content[place : place + 4] = (35).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    clip = open_clip(path)
    assert len(list(clip.pictures())) == 20
    assert any("35" in warning for warning in clip.warnings)


def test_a_damaged_middle_loses_only_what_is_damaged(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hurt.mkv", count=60, options=GROUPS | {"preset": "fast"})
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    path.write_bytes(bytes(content))
    clip = open_clip(path)
    found = list(clip.pictures())
    assert 30 <= len(found) <= 60
    assert [p.index for p in found] == list(range(len(found)))
    assert all(a.time < b.time for a, b in itertools.pairwise(found))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("empty.mp4", b"", "is empty"),
        ("text.mp4", b"This is no video.\n" * 100, "not a video that can be read"),
        ("text.txt", b"This is no video.\n" * 100, "is a text and not a video"),
        (
            "list.m3u8",
            b"#EXTM3U\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
            "not a video",
        ),
        ("zeros.mkv", bytes(5000), "not a video that can be read"),
        ("broken.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "broken.png"),
    ],
)
def test_what_is_no_video_is_named_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, sentence: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MediaError, match=sentence) as caught:
        list(open_clip(path).pictures())
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        open_clip(tmp_path / "nowhere.mp4")


def test_sound_alone_is_no_clip(tmp_path: Path) -> None:
    path = tmp_path / "tone.m4a"
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), "fltp", "stereo")
        frame.sample_rate = 48000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    with pytest.raises(MediaError, match=r"holds no video \(it holds: audio"):
        open_clip(path)


def test_a_video_stream_without_pictures_is_named(tmp_path: Path) -> None:
    path = make_video(tmp_path / "none.mkv", count=0, audio=0.5)
    with pytest.raises(CleanplateError, match="without a single picture"):
        open_clip(path)


def test_an_encrypted_file_is_named(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "secret.mp4",
        container_options={
            "encryption_scheme": "cenc-aes-ctr",
            "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
            "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
        },
    )
    with pytest.raises(MediaError, match="is encrypted"):
        list(open_clip(path).pictures())


def test_a_picture_that_changes_its_size_on_the_way_is_refused(tmp_path: Path) -> None:
    small = make_video(tmp_path / "small.ts", count=12, size=(64, 48))
    large = make_video(tmp_path / "large.ts", count=12, size=(96, 64))
    both = tmp_path / "both.ts"
    both.write_bytes(small.read_bytes() + large.read_bytes())
    with pytest.raises(MediaError, match=r"changes from 64x48 .* to 96x64"):
        list(open_clip(both).pictures())


def test_an_interlaced_clip_says_so(tmp_path: Path) -> None:
    path = make_video(
        tmp_path / "fields.mp4", size=(64, 64), flags=(1 << 18) | (1 << 29), field_order=2
    )
    clip = open_clip(path)
    assert clip.info.field_order == "top first"
    assert "interlaced" in clip.warnings[0]


def test_transparency_of_vp9_is_read(tmp_path: Path) -> None:
    path = make_video(tmp_path / "glass.webm", codec="libvpx-vp9", pixel_format="yuva420p", count=3)
    clip = open_clip(path)
    assert clip.info.has_alpha
    assert np.ptp(samples(next(clip.pictures()))["a"]) > 50


def test_an_animated_gif_is_a_clip(tmp_path: Path) -> None:
    path = tmp_path / "moving.gif"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("gif", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 24, "rgb8"
        for number in range(5):
            out.mux(stream.encode(make_frame(number, 32, 24, "rgb24").reformat(format="rgb8")))
        out.mux(stream.encode(None))
    clip = open_clip(path)
    found = [p.time for p in clip.pictures()]
    assert found == [Fraction(n, 10) for n in range(5)]
    assert next(clip.pictures()).rgb().shape == (24, 32, 3)


def test_images_are_sorted_as_people_count(tmp_path: Path) -> None:
    for number in (1, 2, 10, 9, 100):
        make_frame(number, 32, 24, "rgb24").save(tmp_path / f"frame{number}.png")
    (tmp_path / ".hidden.png").write_bytes(b"")
    names = [p.name for p in find_images(tmp_path)]
    assert names == [f"frame{n}.png" for n in (1, 2, 9, 10, 100)]
    clip = open_clip(tmp_path, rate=Fraction(30000, 1001))
    found = list(clip.pictures())
    assert [p.time for p in found] == [n * Fraction(1001, 30000) for n in range(5)]
    assert np.array_equal(found[3].rgb(), make_frame(10, 32, 24, "rgb24").to_ndarray())
    assert [p.index for p in clip.pictures_backward(4, 2)] == [4, 3, 2]


def test_a_name_with_a_pattern_is_one_image(tmp_path: Path) -> None:
    path = tmp_path / "shot%03d.png"
    make_frame(0, 32, 24, "rgb24").save(tmp_path / "plain.png")
    (tmp_path / "plain.png").rename(path)
    clip = open_clip(path)
    assert [p.index for p in clip.pictures()] == [0]
    assert clip.info.frame_count == 1


def test_images_of_two_sizes_are_no_clip(tmp_path: Path) -> None:
    make_frame(0, 32, 24, "rgb24").save(tmp_path / "a.png")
    make_frame(0, 34, 24, "rgb24").save(tmp_path / "b.png")
    with pytest.raises(MediaError, match=r"b\.png is 34x24, the first image is 32x24"):
        list(open_clip(tmp_path).pictures())


def test_an_empty_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no images in"):
        open_clip(tmp_path)


@pytest.mark.clips
@pytest.mark.parametrize(("name", "count"), [("logo", 105), ("MG4car", 97), ("cat-vfr", 149)])
def test_real_clips_have_the_pictures_that_their_edit_lists_leave(
    clips: Path, name: str, count: int
) -> None:
    clip = open_clip(clips / name / "video.mp4")
    found = [p.time for p in clip.pictures()]
    assert len(found) == count == clip.info.frame_count
    assert clip.warnings == []
    assert [p.time for p in clip.pictures(count - 5)] == found[-5:]
    assert [p.time for p in clip.pictures_backward(count - 1, count - 5)] == found[:-6:-1]
