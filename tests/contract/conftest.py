"""Learned engines are held to the contracts too, with weights made from the names of tensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cleanplate.checkpoints import store
from tests.weights import (
    make_e2fgvi_small,
    make_lama_small,
    make_sam2_small,
    make_sam_small,
    make_siammask_small,
)


@pytest.fixture(scope="module", autouse=True)
def stored_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store of checkpoints, which ``tests.weights.provide`` fills."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("weights")
        patch.setenv(store.PLACE, str(folder))
        make_sam_small(patch)
        make_sam2_small(patch)
        make_lama_small(patch)
        make_e2fgvi_small(patch)
        make_siammask_small(patch)
        yield folder
