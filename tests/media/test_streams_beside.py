"""Streams beside the picture: odd times, and what an output cannot carry."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
from media_make import make_video, packets_of, remake, times

from cleanplate.media.codecs import choose_encoder
from cleanplate.media.read import open_clip
from cleanplate.media.stream_plan import Fate, plan_streams
from cleanplate.media.timecode import later
from cleanplate.settings.encoder import EncoderSettings


def _rewritten(source: Path, out: Path, change: Any) -> Path:
    """``source`` packet by packet, after ``change(packet, number of its kind)``."""
    with av.open(str(source)) as old, av.open(str(out), "w") as new:
        streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
        counts = dict.fromkeys(streams, 0)
        packets = [p for p in old.demux() if p.size]
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * p.time_base):
            index = packet.stream.index
            kind = packet.stream.type
            packet.stream = streams[index]
            change(packet, kind, counts[index])
            counts[index] += 1
            new.mux_one(packet)
    return out


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_sound_whose_times_repeat_is_kept_and_what_was_moved_is_said_once(
    tmp_path: Path, suffix: str
):
    last: list[int] = [0]

    def repeat(packet: av.Packet, kind: str, number: int) -> None:
        if kind == "audio":
            if number in (10, 20):
                packet.pts = packet.dts = last[0]
            last[0] = packet.dts or 0

    whole = make_video(tmp_path / "whole.mkv", count=20, audio=0.8)
    source = _rewritten(whole, tmp_path / "source.mkv", repeat)
    report = remake(source, tmp_path / f"out{suffix}")
    before, after = packets_of(source, "audio"), packets_of(tmp_path / f"out{suffix}", "audio")
    assert [content for _, content in after] == [content for _, content in before]
    stamps = [time for time, _ in after]
    assert stamps == sorted(stamps)
    if suffix == ".mkv":
        return  # Matroska lets times repeat
    assert len(set(stamps)) == len(stamps)
    moved = [note for note in report.warnings if "repeat or go back" in note]
    assert len(moved) == 1
    assert "2 packets of audio #1 (aac)" in moved[0]
    tick = Fraction(2, 1000)
    kept = [abs(a - b) < tick for (a, _), (b, _) in zip(after, before, strict=True)]
    assert kept.count(False) == 2


def test_a_broadcast_that_begins_anew_goes_on_where_it_was_with_its_sound(tmp_path: Path):
    parts = []
    for start in (100, 5):
        part = tmp_path / f"{start}.ts"
        pts = [start * 24 + number for number in range(30)]
        make_video(part, count=30, pts=pts, audio=1.2, audio_start=Fraction(start))
        parts.append(part.read_bytes())
    source = tmp_path / "break.ts"
    source.write_bytes(b"".join(parts))
    report = remake(source, tmp_path / "out.mp4")
    shown = times(tmp_path / "out.mp4")
    steps = [later - sooner for sooner, later in itertools.pairwise(shown)]
    assert len(shown) == 60
    assert max(steps) < Fraction(1, 10)
    heard = [time for time, _ in packets_of(tmp_path / "out.mp4", "audio")]
    assert max(b - a for a, b in itertools.pairwise(heard)) < Fraction(1, 10)
    assert abs((heard[-1] - heard[0]) - (shown[-1] - shown[0])) < Fraction(1, 5)
    assert sum("begin anew" in note for note in report.warnings) == 1
    clip = open_clip(source)
    assert [picture.time for picture in clip.pictures()] == [
        clip.info.start + Fraction(number, 24) for number in range(60)
    ]
    assert any("begin anew" in warning for warning in clip.warnings)


def test_a_hidden_packet_out_of_order_at_the_end_is_left_out(tmp_path: Path):
    """As a clip has it that was cut by stream copy: an edit list hides the end of its sound."""
    from cleanplate.media.rising import RisingTimes

    rising = RisingTimes(Fraction(1, 48000), True, False)
    taken = []
    for stamp, hidden in ((0, False), (1024, False), (512, True), (2048, False)):
        packet = av.Packet(b"x")
        packet.time_base, packet.pts, packet.dts = Fraction(1, 48000), stamp, stamp
        if hidden:

            class Hidden:
                """A packet that the demuxer marks: PyAV cannot set the mark."""

                is_discard = True
                time_base, pts, dts, duration = packet.time_base, stamp, stamp, 1024

            taken.append(rising.place(Hidden()))  # type: ignore[arg-type]
        else:
            taken.append(rising.place(packet))
    assert taken == [True, True, False, True]
    assert rising.moved == 0


def _wmv(path: Path) -> Path:
    return make_video(path, codec="wmv2", audio=1, audio_codec="wmav2", count=24)


def test_what_cannot_be_carried_is_known_before_the_work(tmp_path: Path):
    source = _wmv(tmp_path / "source.wmv")
    info = open_clip(source).info
    out = tmp_path / "out.mp4"
    choice = choose_encoder(info, out, EncoderSettings())
    plan = plan_streams(source, info, out, choice)
    (index,) = [stream.index for stream in info.streams]
    assert plan.fate(index) is Fate.LEFT_OUT
    (sentence,) = plan.losses
    assert ".mp4 cannot carry audio" in sentence
    assert "--sound encode" in sentence
    assert ".mkv" not in sentence.removeprefix(".mp4")  # it carries this sound no better


@pytest.mark.parametrize(("suffix", "codec"), [(".mp4", "aac"), (".webm", "opus"), (".mkv", "aac")])
def test_sound_is_encoded_when_asked_and_keeps_its_place(tmp_path: Path, suffix: str, codec: str):
    source = _wmv(tmp_path / "source.wmv")
    out = tmp_path / f"out{suffix}"
    remake(source, out, EncoderSettings(sound="encode"))
    with av.open(str(source)) as old, av.open(str(out)) as new:
        before, after = old.streams.audio[0], new.streams.audio[0]
        assert after.codec_context.name in (codec, f"lib{codec}")
        lengths = [
            sum(frame.samples for frame in container.decode(stream)) / stream.rate
            for container, stream in ((old, before), (new, after))
        ]
    assert lengths[1] == pytest.approx(lengths[0], abs=0.08)


def test_a_data_track_that_the_output_cannot_describe_is_left_out_and_said(tmp_path: Path):
    source = tmp_path / "source.ts"
    picture = make_video(tmp_path / "picture.mov", count=24)
    with av.open(str(picture)) as old, av.open(str(source), "w") as new:
        video = new.add_stream_from_template(old.streams.video[0])
        data = new.add_data_stream("bin_data")
        data.time_base = Fraction(1, 24)
        for packet in old.demux(video=0):
            if packet.size:
                packet.stream = video
                new.mux_one(packet)
        for number in range(8):
            packet = av.Packet(b"position %d" % number)
            packet.stream, packet.time_base = data, Fraction(1, 24)
            packet.pts = packet.dts = 3 * number
            new.mux_one(packet)
    info = open_clip(source).info
    (index,) = [stream.index for stream in info.streams if stream.kind == "data"]
    out = tmp_path / "out.mov"
    plan = plan_streams(source, info, out, choose_encoder(info, out, EncoderSettings()))
    assert plan.fate(index) is Fate.LEFT_OUT
    (sentence,) = plan.losses
    assert ".mov cannot carry data" in sentence
    remake(source, out)
    assert [stream.type for stream in av.open(str(out)).streams] == ["video"]


def test_timecode_and_reel_are_kept_from_mov_to_mxf_and_back(tmp_path: Path):
    tags = {"timecode": "10:11:12:13", "reel_name": "A003"}
    source = make_video(tmp_path / "source.mov", rate=Fraction(25), stream_metadata=tags)
    remake(source, tmp_path / "out.mov")
    again = open_clip(tmp_path / "out.mov").info
    assert again.timecode == "10:11:12:13"
    with av.open(str(tmp_path / "out.mov")) as container:
        assert any(s.metadata.get("reel_name") == "A003" for s in container.streams)
    material = make_video(
        tmp_path / "source.mxf",
        codec="mpeg2video",
        rate=Fraction(25),
        metadata={"timecode": "01:02:03:04"},
    )
    assert open_clip(material).info.timecode == "01:02:03:04"
    remake(material, tmp_path / "from-mxf.mov")
    assert open_clip(tmp_path / "from-mxf.mov").info.timecode == "01:02:03:04"


@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv", ".webm"])
def test_the_timecode_is_kept(tmp_path: Path, suffix: str):
    source = make_video(tmp_path / "source.mov", stream_metadata={"timecode": "10:11:12:13"})
    assert open_clip(source).info.timecode == "10:11:12:13"
    report = remake(source, tmp_path / f"out{suffix}")
    assert open_clip(tmp_path / f"out{suffix}").info.timecode == "10:11:12:13"
    assert not [note for note in report.warnings if "timecode" in note]


def test_a_part_has_the_timecode_of_its_first_picture(tmp_path: Path):
    source = make_video(tmp_path / "source.mov", stream_metadata={"timecode": "10:11:12:13"})
    remake(source, tmp_path / "out.mov", start=Fraction(15, 24))
    assert open_clip(tmp_path / "out.mov").info.timecode == "10:11:13:04"


@pytest.mark.parametrize(
    ("before", "frames", "rate", "after"),
    [
        ("00:00:59;29", 1, Fraction(30000, 1001), "00:01:00;02"),
        ("00:09:59;29", 1, Fraction(30000, 1001), "00:10:00;00"),
        ("01:00:00;00", 107892, Fraction(30000, 1001), "02:00:00;00"),
        ("00:00:59;59", 1, Fraction(60000, 1001), "00:01:00;04"),
        ("23:59:59:24", 1, Fraction(25), "00:00:00:00"),
        ("00:00:59:29", 1, Fraction(30), "00:01:00:00"),
    ],
)
def test_timecodes_count_as_smpte_says(before: str, frames: int, rate: Fraction, after: str):
    assert later(before, frames, rate) == after
