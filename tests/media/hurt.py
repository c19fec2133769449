"""Reads hurt files in a process of its own, so that a crash names the file and ends nothing else.

python -m tests.media.hurt FILE...
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cleanplate.errors import CleanplateError
from cleanplate.media.read import open_clip

ROOT = Path(__file__).resolve().parents[2]


def read_all(path: Path) -> int:
    """The number of pictures; the promises of reading hold for those that come."""
    clip = open_clip(path)
    count, last = 0, None
    for count, picture in enumerate(clip.pictures(), 1):
        assert picture.index == count - 1
        assert last is None or picture.time > last
        last = picture.time
        picture.rgb()
    assert all(w.endswith(".") and "\n" not in w for w in clip.warnings)
    return count


def check_refusal(error: CleanplateError) -> None:
    """A refusal is one sentence."""
    sentence = str(error)
    assert sentence.endswith("."), sentence
    assert "\n" not in sentence, sentence


def check_read(paths: Sequence[Path]) -> None:
    """Each file is read or refused in a sentence, by a process that lives to say so."""
    call = [sys.executable, "-m", "tests.media.hurt", *map(str, paths)]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, timeout=110)
    said = done.stdout.splitlines()
    at = paths[len(said)] if len(said) < len(paths) else None
    assert done.returncode == 0, f"{at}: exit {done.returncode}\n{done.stderr[-3000:]}"
    assert at is None, f"nothing was said of {at}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        try:
            print(read_all(Path(name)), flush=True)
        except CleanplateError as refusal:
            check_refusal(refusal)
            print("refused", flush=True)
