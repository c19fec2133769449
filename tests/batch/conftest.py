"""One small Ray cluster for all tests that need one: starting it takes seconds; storages."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator

import pytest

from cleanplate import registry

ENGINE = '''
"""Fills with grey, and notes in a file which process made it: it stands for a learned engine."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from cleanplate.protocols import About
from cleanplate.settings import setting


@dataclass(frozen=True)
class Settings:
    log: str = setting("", "Where it is noted.")


class Engine:
    about = About("inpaint", "slow_to_load", "Grey.", needs=("torch",))
    Settings = Settings
    lookahead = lookback = 0
    window = 1

    def __init__(self, settings, runtime):
        self.settings = settings
        with Path(settings.log).open("a") as file:
            file.write(f"{os.getpid()}\\n")

    def inpaint(self, frames):
        for masked in frames:
            image = masked.frame.image.copy()
            image[masked.mask != 0] = 128
            yield replace(masked.frame, image=image)
'''


@pytest.fixture(scope="module")
def engine_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Another package's engine, which workers see, too."""
    folder = tmp_path_factory.mktemp("engine")
    (folder / "slow_to_load.py").write_text(ENGINE)
    info = folder / "slow_to_load-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-to-load\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[cleanplate.engines]\ninpaint.slow_to_load = slow_to_load\n"
    )
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (before, str(folder))))
    sys.path.append(str(folder))
    registry._modules.cache_clear()
    yield
    sys.path.remove(str(folder))
    registry._modules.cache_clear()
    os.environ["PYTHONPATH"] = before or ""


@pytest.fixture(scope="module")
def cluster_address(engine_package: None) -> Iterator[str]:
    """The address of a cluster of two CPUs that this process is connected to."""
    import ray

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Ray's own, about its own files
        context = ray.init(
            address="local",
            num_cpus=2,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=100 << 20,
        )
        yield context.address_info["gcs_address"]
        ray.shutdown()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server on this machine."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket."""
    import fsspec

    names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    for name, value in {**names, "AWS_ENDPOINT_URL": s3_server}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    s3 = fsspec.filesystem("s3", use_listings_cache=False)
    if s3.exists("clips"):
        s3.rm("clips", recursive=True)
    s3.mkdir("clips")
    return "s3://clips"


@pytest.fixture
def memory() -> Iterator[str]:
    """An address in memory."""
    import fsspec

    yield "memory://batch"
    fsspec.filesystem("memory").store.clear()
