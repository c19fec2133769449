"""The errors that cleanplate raises on purpose.

Each message is one sentence for a person: the value, what was expected, the way out.
Anything else that escapes is a defect of cleanplate.
"""

from __future__ import annotations


class CleanplateError(Exception):
    """Root of all errors that cleanplate raises on purpose. The command line exits with 1."""


class InputError(CleanplateError, ValueError):
    """What the user typed or passed does not fit: a value, a prompt, a file name. Exit code 2."""


class MediaError(CleanplateError):
    """A file cannot be read or written as what it claims to be."""


class DiskError(MediaError):
    """A disk is full, or does not let us write. What was finished before is kept."""


class MaskError(InputError):
    """Masks that do not belong to the clip: their count, their size or their colours."""


class WeightsError(CleanplateError):
    """Weights are not here, damaged, of another network, or more than weights."""


class MissingDependencyError(CleanplateError):
    """A part that was not installed is needed; the message holds the command that brings it."""


class CancelledError(CleanplateError):
    """The work was stopped on request; what is finished is kept and the same call goes on."""
