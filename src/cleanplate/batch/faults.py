"""What went wrong, and whose fault it was: a machine's is tried again, a clip's own is not."""

from __future__ import annotations

import traceback
from dataclasses import dataclass

from cleanplate.batch.scratch import ScratchFullError
from cleanplate.errors import CleanplateError, DiskError

WAIT = 5.0  # seconds before a step that found no room is tried again
BACK_OFF, LONGEST = 1.0, 60.0  # seconds before the first retry, doubled for each; at most
_STORAGE = ("botocore", "aiobotocore", "aiohttp", "s3fs", "gcsfs", "fsspec", "requests", "urllib3")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a step did not succeed."""

    sentence: str
    """For a person."""
    is_machines: bool
    """Whether another try may succeed: a worker died, a network failed, a disk or memory was
    full."""
    trace: str = ""
    """For the log."""
    waits: bool = False
    """Whether it is none at all: there was no room yet, and there will be."""


def fault_of(error: BaseException) -> Fault:
    """What ``error``, raised by a step, means."""
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, ScratchFullError):
        return Fault(str(error), True, trace, waits=True)
    if isinstance(error, CleanplateError) and not isinstance(error, DiskError):
        return Fault(str(error), False, trace)
    if isinstance(error, DiskError | OSError | MemoryError | EOFError) or _is_storages(error):
        text = str(error) or type(error).__name__
        return Fault(text if text.endswith(".") else f"{text}.", True, trace)
    return Fault(
        f"cleanplate met what it did not expect ({type(error).__name__}: {error}); it is a defect: "
        "please report it with the log.",
        False,
        trace,
    )


def _is_storages(error: BaseException) -> bool:
    return type(error).__module__.split(".")[0] in _STORAGE


def delay(tries: int) -> float:
    """Seconds to wait before a step is tried again that failed ``tries`` times."""
    return min(LONGEST, BACK_OFF * 2.0 ** (tries - 1))
