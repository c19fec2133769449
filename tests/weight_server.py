"""A server of small weights made from names, and programs that take them for the published ones.

Workers are processes of their own: they find a ``sitecustomize`` that makes the network small and
points the catalogue at this server.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cleanplate.checkpoints import catalogue, find
from tests import weights

NAME = "sam2_1_hiera_tiny"
_SITE = """
import dataclasses, os, sys
if os.environ.get("CLEANPLATE_TEST_URL"):
    from cleanplate.checkpoints import catalogue
    told = {"url": os.environ["CLEANPLATE_TEST_URL"], "mirror": "", "page": "http://localhost",
            "size": int(os.environ["CLEANPLATE_TEST_SIZE"]),
            "digest": os.environ["CLEANPLATE_TEST_DIGEST"]}
    catalogue.BUILT_IN = tuple(
        dataclasses.replace(one, **told) if one.name == "NAME" else one
        for one in catalogue.BUILT_IN
    )
    from cleanplate.networks.sam2 import hiera
    hiera.TINY = hiera.Size(16, 1, (1, 1, 1, 1), (2,), (8, 4, 4, 4), 7)
""".replace("NAME", NAME)


@dataclass
class Served:
    """What a server gives, and how."""

    content: bytes
    url: str = ""
    asked: list[str | None] = field(default_factory=list)
    """The ranges that were asked for."""
    pause: float = 0.0
    """Seconds between blocks."""

    @property
    def digest(self) -> str:
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@contextmanager
def serving(content: bytes) -> Iterator[Served]:
    served = Served(content)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            served.asked.append(wanted)
            start = int(re.findall(r"\d+", wanted)[0]) if wanted else 0
            self.send_response(206 if wanted else 200)
            size = len(served.content)
            if wanted:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            for place in range(start, size, 1 << 14):
                try:
                    self.wfile.write(served.content[place : place + (1 << 14)])
                except OSError:  # who asked has gone
                    return
                time.sleep(served.pause)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    served.url = f"http://127.0.0.1:{server.server_port}/weights.pt"
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()


def small_weights(folder: Path, patch: pytest.MonkeyPatch) -> bytes:
    """A file of SAM 2.1's weights, made from names for a small network."""
    from cleanplate.networks.sam2 import sam2

    weights.make_sam2_small(patch)
    weights.torch.manual_seed(0)
    return weights.save(getattr(sam2, NAME)(), folder / "small.pt").read_bytes()


def environment(folder: Path, served: Served) -> dict[str, str]:
    """What makes programs take the served weights for the published ones."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(_SITE)
    path = os.pathsep.join([str(folder / "site"), os.environ.get("PYTHONPATH", "")])
    return {
        "PYTHONPATH": path.rstrip(os.pathsep),
        "CLEANPLATE_TEST_URL": served.url,
        "CLEANPLATE_TEST_SIZE": str(len(served.content)),
        "CLEANPLATE_TEST_DIGEST": served.digest,
        "CLEANPLATE_WEIGHTS": str(folder / "weights"),
    }


def point_catalogue(served: Served, patch: pytest.MonkeyPatch) -> None:
    """The same in this process."""
    told = {"url": served.url, "size": len(served.content), "digest": served.digest, "mirror": ""}
    own = dataclasses.replace(find(NAME), **told)
    built_in = tuple(own if one.name == NAME else one for one in catalogue.BUILT_IN)
    patch.setattr(catalogue, "BUILT_IN", built_in)
