"""How a clip comes in: sent, named by its path, or the sample. Nothing else makes a project."""

from __future__ import annotations

import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.concurrency import run_in_threadpool

from cleanplate.app.sentences import Refusal
from cleanplate.app.server.options import Options
from cleanplate.app.server.uploads import receive, safe_suffix, shown_name
from cleanplate.app.server.work import Work
from cleanplate.app.sessions import Session, Sessions
from cleanplate.errors import MediaError
from cleanplate.evaluation.sample import write_sample
from cleanplate.media.read import open_clip
from cleanplate.types import VideoInfo

_LISTS = frozenset({"hls", "dash", "imf", "webm_dash_manifest"})  # they point to other files
_EXPECTED = "Expected a file with a picture stream, such as mp4, mov, mkv, webm."


class Clips:
    """Makes projects of clips."""

    def __init__(self, options: Options, sessions: Sessions, work: Work) -> None:
        self._options, self._sessions, self._work = options, sessions, work
        self._lock = threading.Lock()

    async def sent(self, name: str, body: AsyncIterator[bytes], claimed: int | None) -> Session:
        """A project of a file that is sent; one that is no video leaves nothing behind."""
        name = shown_name(name)
        folder = self._sessions.new_folder()
        path = folder / f"clip{safe_suffix(name)}"
        try:
            await receive(body, path, name, claimed, self._options.max_upload)
            await run_in_threadpool(check_video, path, name)
        except BaseException:
            shutil.rmtree(folder)
            raise
        return await run_in_threadpool(self._begin, folder, name, path, True)

    def at(self, path: str) -> Session:
        """A project of a clip on this computer, read where it lies.

        Raises:
            Refusal: others can reach this server, so paths are not for them to name.
        """
        if not self._options.is_local:
            raise Refusal(403, "Paths can be given only on the computer that runs cleanplate.")
        clip = Path(path.strip()).expanduser()
        check_video(clip, clip.name)
        return self._begin(self._sessions.new_folder(), shown_name(clip.name), clip, False)

    def sample(self) -> Session:
        """A project of the sample clip, which is made when it is first asked for."""
        path = self._options.folder / "sample.mp4"
        with self._lock:
            if not path.exists():
                write_sample(path)
        return self._begin(self._sessions.new_folder(), path.name, path, False)

    def _begin(self, folder: Path, name: str, clip: Path, uploaded: bool) -> Session:
        session = self._sessions.begin(folder, name, clip, uploaded)
        self._work.begin(session, "open", {})
        return session


def check_video(path: Path, name: str) -> VideoInfo:
    """Look into the file; its name says nothing.

    Raises:
        MediaError: it holds no video that can be decoded; in the words of ``name``.
    """
    try:
        with open_clip(path) as clip:
            info = clip.info
    except MediaError as error:
        said = str(error).replace(str(path), name)
        raise MediaError(f"{name} is not a video. {_EXPECTED} ({said})") from error
    if _LISTS & set(info.container.split(",")):
        raise MediaError(f"{name} is a list of other files and not a video. {_EXPECTED}")
    return info
