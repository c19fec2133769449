"""What the server is told when it starts."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from pathlib import Path

from cleanplate.errors import InputError

PASSWORD = "CLEANPLATE_PASSWORD"
FOLDER = "CLEANPLATE_FOLDER"
NAMES = "CLEANPLATE_NAMES"


@dataclass(frozen=True, slots=True)
class Options:
    """Where the server listens, where it keeps things, and whom it lets in."""

    folder: Path
    """Projects lie in ``folder/projects``, what is temporary in ``folder/temporary``."""
    host: str = "127.0.0.1"
    port: int = 7860
    max_upload: int = 4 << 30
    """Bytes of the largest file that may be sent."""
    password: str = ""
    """Asked for when it is not empty; a must when others can reach the server."""
    names: tuple[str, ...] = ()
    """Further host names under which the server is reached, for example behind a proxy."""
    grace: float = 60.0
    """Seconds that a worker is given to stop by itself."""
    keep_days: int = 0
    """Projects that nobody opened for so many days are deleted; 0 keeps them."""

    spare: bool = False
    """A worker process waits with all imported, so that jobs begin sooner; it takes memory."""

    def __post_init__(self) -> None:
        if not self.is_local and not self.password:
            raise InputError(
                f"Others could reach this server at {self.host}, and it has no password; set "
                f"{PASSWORD}, or leave --host at 127.0.0.1."
            )

    @property
    def is_local(self) -> bool:
        """Whether only this computer can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def projects(self) -> Path:
        """Where projects are kept."""
        return self.folder / "projects"

    @property
    def temporary(self) -> Path:
        """Where uploads wait until they belong to a project."""
        return self.folder / "temporary"


def default_folder() -> Path:
    """``CLEANPLATE_FOLDER``, or ``cleanplate`` in the user's home: a person should find it."""
    given = os.environ.get(FOLDER)
    return Path(given) if given else Path.home() / "cleanplate"


def names_from_environment() -> tuple[str, ...]:
    """The host names in ``CLEANPLATE_NAMES``, separated by commas."""
    return tuple(name.strip() for name in os.environ.get(NAMES, "").split(",") if name.strip())
