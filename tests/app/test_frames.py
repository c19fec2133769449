"""Stills are exact for any codec, in any order; proxies have one frame for each of the source's."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from cleanplate.app.sentences import Refusal
from cleanplate.app.server.frames import Frames
from cleanplate.app.server.palette import mask_png
from cleanplate.app.worker.proxy import write_proxy
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from tests.media.media_make import make_video
from tests.scene import write_scene

from .conftest import Server

UNEVEN = [0, 1, 2, 5, 6, 7, 11, 12, 13, 14, 20, 21, 22, 23, 24, 25, 26, 27, 28, 40]
KINDS = {
    "b-frames.mp4": {"options": {"bf": "3", "g": "9"}},
    "hevc.mkv": {"codec": "libx265", "options": {"x265-params": "log-level=none:keyint=8"}},
    "ffv1.mkv": {"codec": "ffv1"},
    "ten-bit.mkv": {"codec": "ffv1", "pixel_format": "yuv422p10le"},
    "uneven.mkv": {"pts": UNEVEN, "time_base": Fraction(1, 24)},
    "mpeg.ts": {"codec": "mpeg2video", "options": {"bf": "2"}},
}


def pictures(path: Path) -> list[np.ndarray]:
    with open_clip(path) as clip:
        return [one.rgb() for one in clip.pictures()]


@pytest.mark.parametrize("name", KINDS)
def test_any_frame_in_any_order_is_the_decoders(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    make_video(path, count=20, **KINDS[name])
    truth = pictures(path)
    frames = Frames()
    order = list(range(len(truth))) + list(reversed(range(len(truth))))
    random.Random(0).shuffle(order)
    for index in order:
        assert np.array_equal(frames.picture(path, index), truth[index]), (name, index)
    with pytest.raises(Refusal, match="Frame 20 is not in the clip"):
        frames.picture(path, 20)


def test_a_small_budget_changes_nothing_but_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    make_video(path, count=60, options={"g": "30"})
    truth = pictures(path)
    frames = Frames(budget=10_000)  # two pictures
    for index in (59, 0, 31, 30, 29, 12, 58):
        assert np.array_equal(frames.picture(path, index), truth[index])
    assert len(frames._kept._pictures) <= 3


def test_a_neighbour_is_at_hand(tmp_path: Path) -> None:
    path = tmp_path / "long.mp4"
    make_video(path, count=300, size=(320, 240), options={"g": "250"})
    frames = Frames()
    frames.picture(path, 280)

    def spent(index: int) -> float:
        began = time.perf_counter()
        frames.picture(path, index)
        return time.perf_counter() - began

    near, far = max(spent(i) for i in (279, 278, 277, 281)), spent(20)
    assert near < far, "the frames before and after the one looked at need no seek"


def test_a_file_that_was_replaced_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.mkv"
    make_video(path, codec="ffv1", count=3)
    frames = Frames()
    frames.picture(path, 0)
    make_video(path, codec="ffv1", count=3, size=(32, 32))
    assert frames.picture(path, 0).shape == (32, 32, 3)


@pytest.mark.parametrize("name", ["b-frames.mp4", "hevc.mkv", "ffv1.mkv", "uneven.mkv"])
def test_a_proxy_has_one_frame_for_each_of_the_sources_evenly_spaced(
    tmp_path: Path, name: str
) -> None:
    path, target = tmp_path / name, tmp_path / "proxy.mp4"
    make_video(path, count=20, **KINDS[name])
    assert write_proxy(path, target, 20, Progress()) == 20
    with av.open(str(target)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        shown = [(frame.pts * stream.time_base, frame) for frame in container.decode(stream)]
        rate = stream.average_rate
    assert [when for when, _ in shown] == [Fraction(index) / rate for index in range(20)]
    for truth, (_, frame) in zip(pictures(path), shown, strict=True):
        apart = np.abs(frame.to_ndarray(format="rgb24").astype(int) - truth).mean()
        assert apart < 8, "the same picture, but for what a small file loses"


def test_a_large_clip_gets_a_small_proxy(tmp_path: Path) -> None:
    path, target = tmp_path / "wide.mp4", tmp_path / "proxy.mp4"
    make_video(path, count=2, size=(1442, 802))
    write_proxy(path, target, 2, Progress())
    with open_clip(target) as clip:
        assert (clip.info.width, clip.info.height) == (960, 534)


def test_a_mask_is_a_palette_picture_of_object_ids() -> None:
    mask = np.zeros((48, 64), np.uint8)
    mask[3:9, 5:20], mask[20:30, 30:50] = 1, 7
    data = mask_png(mask, {1: "#E69F00", 7: "#0072B2"})
    shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert shown.shape == (48, 64, 4)
    assert (shown[..., 3] == np.where(mask > 0, 255, 0)).all()
    assert shown[5, 10].tolist() == [0x00, 0x9F, 0xE6, 255]
    with av.open(__import__("io").BytesIO(data)) as container:
        raw = next(container.decode(video=0))
        ids = np.frombuffer(raw.planes[0], np.uint8).reshape(48, raw.planes[0].line_size)[:, :64]
    assert np.array_equal(ids, mask)


def test_stills_are_served_exactly_and_may_be_kept(server: Server, tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.mp4", 12)
    project = server.opened(path)
    truth = pictures(path)
    for index in (11, 3, 0):
        answer = server.client.get(f"/project/{project}/frame/{index}.jpg")
        assert "immutable" in answer.headers["cache-control"]
        seen = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.abs(seen.astype(int) - truth[index]).mean() < 4
    small = server.client.get(f"/project/{project}/frame/3.jpg?w=96").content
    assert cv2.imdecode(np.frombuffer(small, np.uint8), cv2.IMREAD_COLOR).shape == (64, 96, 3)
    answer = server.client.get(f"/project/{project}/frame/12.jpg")
    assert (answer.status_code, answer.json()["error"]) == (
        404,
        "Frame 12 is not in the clip; it has 12 frames.",
    )
    answer = server.client.get(f"/project/{project}/frame/x.jpg")
    assert answer.status_code == 400


def test_the_proxy_is_served_in_ranges(server: Server, tmp_path: Path) -> None:
    project = server.opened(write_scene(tmp_path / "scene.mp4", 12))
    server.wait(project, lambda state: state["proxy"]["ready"])
    whole = server.client.get(f"/project/{project}/proxy.mp4").content
    part = server.client.get(f"/project/{project}/proxy.mp4", headers={"Range": "bytes=100-199"})
    assert part.status_code == 206
    assert part.content == whole[100:200]
