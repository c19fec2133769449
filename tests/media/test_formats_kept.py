"""Formats that stay what they were: profiles of ProRes, lossless grey, the fields of DV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_make import make_video, remake, samples

from cleanplate.errors import MediaError
from cleanplate.media.codecs import choose_encoder
from cleanplate.media.read import open_clip
from cleanplate.settings.encoder import EncoderSettings

_PROFILES = [
    ("proxy", "yuv422p10le", "apco"),
    ("lt", "yuv422p10le", "apcs"),
    ("standard", "yuv422p10le", "apcn"),
    ("hq", "yuv422p10le", "apch"),
    ("4444", "yuv444p10le", "ap4h"),
    ("4444", "yuva444p10le", "ap4h"),
    ("4444xq", "yuv444p10le", "ap4x"),
    ("4444xq", "yuva444p10le", "ap4x"),
]


@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
@pytest.mark.parametrize(("profile", "pixel_format", "tag"), _PROFILES)
def test_prores_keeps_its_profile_tag_depth_and_alpha(
    tmp_path: Path, profile: str, pixel_format: str, tag: str, suffix: str
):
    options = {"profile": profile, "alpha_bits": "16"}
    source = make_video(
        tmp_path / "a.mov", codec="prores_ks", pixel_format=pixel_format, options=options, count=3
    )
    remake(source, tmp_path / f"b{suffix}")
    with av.open(str(tmp_path / f"b{suffix}")) as made:
        assert made.streams.video[0].codec_context.codec_tag == tag
    old, new = open_clip(source).info, open_clip(tmp_path / f"b{suffix}").info
    assert (new.codec, new.profile) == ("prores", old.profile)
    assert (new.pixel_format, new.bit_depth) == (old.pixel_format, old.bit_depth)
    assert new.has_alpha == ("a" in pixel_format)


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("pixel_format", ["gray", "gray10le", "gray12le"])
def test_grey_without_loss_stays_grey(tmp_path: Path, pixel_format: str, suffix: str):
    source = make_video(
        tmp_path / "a.mkv", codec="libx265", pixel_format=pixel_format, count=3,
        options={"x265-params": "log-level=none"},
    )  # fmt: skip
    remake(source, tmp_path / f"b{suffix}", EncoderSettings(lossless=True))
    old, new = open_clip(source), open_clip(tmp_path / f"b{suffix}")
    assert new.info.pixel_format == old.info.pixel_format == pixel_format
    for before, after in zip(old.pictures(), new.pictures(), strict=True):
        np.testing.assert_array_equal(samples(before)["y"], samples(after)["y"])


def test_dv_begins_with_its_lower_field(tmp_path: Path):
    source = make_video(
        tmp_path / "a.avi", codec="dvvideo", pixel_format="yuv420p", size=(720, 576), count=3,
        rate=Fraction(25),
    )  # fmt: skip
    clip = open_clip(source)
    assert clip.info.field_order == "bottom first"
    assert any("bottom first" in warning for warning in clip.warnings)
    remake(source, tmp_path / "b.mov")
    assert open_clip(tmp_path / "b.mov").info.field_order == "bottom first"


def test_an_animated_webp_is_refused_in_a_true_sentence(tmp_path: Path):
    path = tmp_path / "a.webp"
    path.write_bytes(b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0" + bytes(20))
    with pytest.raises(MediaError, match=r"is an animated WebP, which .* cannot decode; convert"):
        open_clip(path)


def test_pictures_with_transparency_become_a_video_that_players_open(tmp_path: Path):
    folder = tmp_path / "in"
    folder.mkdir()
    for number in range(3):
        image = np.full((48, 64, 4), (200, 90, 30, 128), np.uint8)
        cv2.imwrite(str(folder / f"{number:03d}.png"), image)
    info = open_clip(folder).info
    choice = choose_encoder(info, tmp_path / "out.mp4", EncoderSettings())
    assert (choice.encoder, choice.pixel_format) == ("libx264", "yuv420p")
    assert any("holds no transparency: it is dropped" in note for note in choice.notes)
    moved = choose_encoder(info, tmp_path / "out.mov", EncoderSettings())
    assert (moved.codec, moved.pixel_format) == ("prores", "yuva444p10le")


def test_pictures_without_their_key_frame_are_told(tmp_path: Path):
    whole = make_video(tmp_path / "a.mkv", count=20, options={"g": "10", "bf": "0"})
    assert not open_clip(whole).warnings
    cut = tmp_path / "b.mkv"
    with av.open(str(whole)) as old, av.open(str(cut), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0], opaque=True)
        for number, packet in enumerate(p for p in old.demux() if p.size):
            if number >= 6:
                packet.stream = stream
                new.mux_one(packet)
    clip = open_clip(cut)
    assert len(list(clip.pictures())) == 10
    assert any("begins with 4 pictures whose key frame" in warning for warning in clip.warnings)
