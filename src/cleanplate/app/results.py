"""What was removed so far: a folder each, ``out/NAME``, with the clip, its report and its proxy."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from cleanplate.app.sentences import Refusal
from cleanplate.files.publish import write_text

_ABOUT = "result.json"


@dataclass(slots=True)
class Result:
    """A clip that was made, or is being made."""

    name: str
    kind: str
    """``try``, ``remove`` or ``retarget``."""
    first: int
    """First frame of the source that it holds."""
    last: int
    clip: str
    """File name within the result's folder."""
    file: str
    """Name that a download gets."""
    middle: int | None = None
    """The frame that a trial was made around."""
    whole: bool = False
    """Frames outside of in and out are in it as well, as they are in the source."""
    exact: bool = True
    """Whether a trial's frames are what the whole will have; else they may differ a little."""
    when: float = 0.0
    """Seconds since 1970 at which it was finished."""
    sentence: str = ""
    unseen: list[list[int]] = field(default_factory=list[list[int]])
    """First and last frame, in the source, of the stretches that were filled in part from nothing:
    no frame shows that background."""
    encoding: str = ""
    """Codec, quality and container, as one line."""
    lossless: bool = False
    """Every sample outside of the masks is the source's."""
    aspect: str = ""
    """Of a clip in another shape: width to height as seen, ``9:16``."""
    of: str = ""
    """The result that it was cut out of; empty: the clip itself."""
    doubts: list[str] = field(default_factory=list[str])
    """What the work may have suffered from, as sentences."""
    command: str = ""
    """What does the same, or goes on with it, on the command line."""


class Results:
    """The results of one project."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Result]:
        """Those that are finished, oldest first."""
        results = [self._read(path.parent) for path in self._folder.glob(f"*/{_ABOUT}")]
        done = [result for result in results if self.clip(result).exists()]
        return sorted(done, key=lambda result: result.when or self.clip(result).stat().st_mtime)

    def get(self, name: str) -> Result:
        """The finished result ``name``.

        Raises:
            Refusal: there is none.
        """
        for result in self.all():
            if result.name == name:
                return result
        raise Refusal(404, f"There is no result {name} here; it was removed, or not finished.")

    def next_name(self, kind: str) -> str:
        """A free name; that of an unfinished result is taken again, so that it is gone on with."""
        number = 1
        while self._is_finished(f"{kind}-{number}"):
            number += 1
        return f"{kind}-{number}"

    def _is_finished(self, name: str) -> bool:
        about = self._folder / name / _ABOUT
        return about.is_file() and self.clip(self._read(about.parent)).exists()

    def write(self, result: Result) -> None:
        """Keep what is said of a result beside it."""
        write_text(self._folder / result.name / _ABOUT, json.dumps(asdict(result), indent=1))

    def clip(self, result: Result) -> Path:
        """Where the result's clip lies, made or not."""
        return self._folder / result.name / result.clip

    def report(self, result: Result) -> Path:
        """Where the report of its job lies."""
        return self._folder / result.name / "report.json"

    def proxy(self, result: Result) -> Path:
        """Where the small copy lies that a browser plays."""
        return self._folder / result.name / "proxy.mp4"

    def delete(self, name: str) -> None:
        """Remove a result, finished or not."""
        if not name.startswith(".") and (self._folder / name / _ABOUT).is_file():
            shutil.rmtree(self._folder / name)

    def as_json(self) -> list[dict[str, Any]]:
        """What the page gets."""
        return [asdict(result) | {"proxy": self.proxy(result).exists()} for result in self.all()]

    @staticmethod
    def _read(folder: Path) -> Result:
        return Result(**json.loads((folder / _ABOUT).read_text(encoding="utf-8")))
