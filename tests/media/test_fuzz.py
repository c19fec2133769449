"""Hurt files: each is read or refused in a sentence; nothing crashes, hangs or is left over."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from av.codec.context import ThreadType
from media_make import make_video

from cleanplate.errors import CleanplateError
from cleanplate.media.assemble import assemble
from cleanplate.media.codecs import choose_encoder
from cleanplate.media.decode import Damage, decode_frames, find_video, open_container
from cleanplate.media.encode import encode_piece
from cleanplate.media.read import open_clip
from cleanplate.settings.encoder import EncoderSettings
from tests.media.hurt import check_read, check_refusal, read_all

GROUPS = {"x264-params": "keyint=6:min-keyint=6:bframes=2:scenecut=0"}
KINDS = {
    "clip.mp4": {"audio": 0.5, "options": GROUPS},
    "clip.mkv": {"audio": 0.5, "options": GROUPS},
    "clip.webm": {"codec": "libvpx-vp9", "options": {"cpu-used": "8", "deadline": "realtime"}},
    "clip.ts": {"options": GROUPS},
    "clip.avi": {"codec": "mpeg4"},
    "clip.mov": {"codec": "prores_ks", "pixel_format": "yuv422p10le"},
    "hevc.mp4": {"codec": "libx265", "options": {"x265-params": "log-level=none"}},
    "exact.mkv": {"codec": "ffv1"},
}


def flip_bytes(content: bytes, dice: random.Random) -> bytes:
    hurt = bytearray(content)
    for _ in range(dice.choice((1, 4, 30, 300))):
        hurt[dice.randrange(len(hurt))] = dice.randrange(256)
    return bytes(hurt)


def flip_header(content: bytes, dice: random.Random) -> bytes:
    hurt = bytearray(content)
    for _ in range(dice.choice((1, 3, 10))):
        hurt[dice.randrange(min(len(hurt), 600))] = dice.randrange(256)
    return bytes(hurt)


def flip_tail(content: bytes, dice: random.Random) -> bytes:
    hurt = bytearray(content)
    for _ in range(dice.choice((1, 3, 10))):
        hurt[-1 - dice.randrange(min(len(hurt), 1500))] = dice.randrange(256)
    return bytes(hurt)


def cut_tail(content: bytes, dice: random.Random) -> bytes:
    return content[: dice.randrange(1, len(content))]


def drop_middle(content: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    return content[:start] + content[start + dice.randrange(1, 2000) :]


def repeat_middle(content: bytes, dice: random.Random) -> bytes:
    start = dice.randrange(len(content))
    return content[:start] + content[max(0, start - 1000) :]


MUTATIONS = [flip_bytes, flip_header, flip_tail, cut_tail, drop_middle, repeat_middle]


@pytest.fixture(scope="module")
def whole_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("whole")
    return {
        name: make_video(folder / name, count=24, **how).read_bytes() for name, how in KINDS.items()
    }


def attempt(work: Callable[[], object]) -> bool:
    """Whether ``work`` was done; if not, it was refused in one sentence."""
    try:
        work()
    except CleanplateError as error:
        check_refusal(error)
        return False
    return True


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("name", KINDS)
def test_a_hurt_file_is_read_or_refused_in_a_sentence(
    whole_files: dict[str, bytes], tmp_path: Path, name: str, mutation: object
) -> None:
    assert callable(mutation)
    paths = [tmp_path / f"{seed}_{name}" for seed in range(5)]
    for seed, path in enumerate(paths):
        path.write_bytes(mutation(whole_files[name], random.Random(f"{name}{seed}")))
    check_read(paths)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.avi"])
def test_swapped_headers_are_read_or_refused(
    whole_files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    paths = [tmp_path / f"{Path(other).stem}_{name}" for other in whole_files]
    for path, content in zip(paths, whole_files.values(), strict=True):
        path.write_bytes(content[:200] + whole_files[name][200:])
    check_read(paths)


def remake(path: Path, out: Path) -> None:
    clip = open_clip(path)
    choice = choose_encoder(clip.info, out, EncoderSettings(preset="ultrafast"))
    made = encode_piece(clip.pictures(), out.with_suffix(".piece.mkv"), clip.info, choice)
    assert assemble(path, [made.path], out, clip.info, choice).frames == made.count
    assert read_all(out) == made.count


@pytest.mark.timeout(120)
@pytest.mark.parametrize("name", ["clip.mp4", "clip.mkv", "clip.ts"])
def test_a_hurt_file_is_remade_whole_or_leaves_nothing(
    whole_files: dict[str, bytes], tmp_path: Path, name: str
) -> None:
    for seed in range(6):
        mutation = MUTATIONS[seed % len(MUTATIONS)]
        path, out = tmp_path / f"{seed}_{name}", tmp_path / "out" / f"{seed}.mp4"
        path.write_bytes(mutation(whole_files[name], random.Random(seed)))
        if not attempt(partial(remake, path, out)):
            assert not out.exists()
        left = {p.name for p in (tmp_path / "out").glob("*")} if out.parent.exists() else set()
        assert not [n for n in left if ".part" in n]


def test_no_frame_of_ffv1_has_a_thread_of_its_own(
    whole_files: dict[str, bytes], tmp_path: Path
) -> None:
    """A damaged frame in such a thread has ended the whole process, once in some hundred files."""
    path = tmp_path / "exact.mkv"
    path.write_bytes(whole_files["exact.mkv"])
    with open_container(path) as container:
        stream = find_video(container, path)
        next(decode_frames(container, stream, Damage()))
        assert stream.codec_context.thread_type == ThreadType.SLICE
        assert stream.codec_context.thread_count != 1
