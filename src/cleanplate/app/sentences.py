"""Errors as a person reads them: one sentence and an HTTP status, never a stack."""

from __future__ import annotations

import errno
import logging

from cleanplate.errors import (
    CleanplateError,
    InputError,
    MediaError,
    MissingDependencyError,
    WeightsError,
)

_log = logging.getLogger("cleanplate.app")


class Refusal(CleanplateError):  # noqa: N818  it is an answer, not a failure
    """An answer with a status of its own."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


def told(error: BaseException) -> tuple[int, str]:
    """The status and the sentence for ``error``; a defect is logged with its stack."""
    if isinstance(error, Refusal):
        return error.status, str(error)
    if isinstance(error, InputError):
        return 400, str(error)
    if isinstance(error, MediaError):
        return 422, str(error)
    if isinstance(error, (WeightsError, MissingDependencyError)):
        return 409, str(error)
    if isinstance(error, CleanplateError):
        return 400, str(error)
    if isinstance(error, MemoryError):
        _log.error("out of memory", exc_info=error)
        return 507, "Not enough memory for this; try a smaller window or a shorter range."
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which is not imported for this
        _log.error("out of memory on the device", exc_info=error)
        return (
            507,
            "Not enough memory on the device for this; set a smaller memory, or take the CPU.",
        )
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return 507, "The disk is full; free some space, or choose another folder."
    _log.error("a defect", exc_info=error)
    return 500, (
        f"cleanplate met what it did not expect ({type(error).__name__}); the server's log says "
        "more. It is a defect: please report it."
    )


def gigabytes(size: int) -> str:
    """A size as people say it: 9.1 GB, 158 MB, 12 kB."""
    for unit, power in (("GB", 9), ("MB", 6), ("kB", 3)):
        if size >= 10**power:
            value = size / 10**power
            return f"{value:.0f} {unit}" if value >= 100 else f"{value:.1f} {unit}"
    return f"{size} bytes"
