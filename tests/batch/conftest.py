"""One small Ray cluster for all tests of batches: starting one takes seconds."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def cluster_address() -> Iterator[str]:
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
