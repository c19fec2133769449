"""Every learned network still computes what it did when it was accepted (``own.py``)."""

from __future__ import annotations

import numpy as np
import pytest

from tests.golden.own import FILE, outputs


@pytest.fixture(scope="module")
def found() -> dict[str, np.ndarray]:
    return outputs()


with np.load(FILE) as _archive:
    WANTED = {name: _archive[name] for name in _archive.files}


def test_all_learned_networks_are_among_them(found: dict[str, np.ndarray]) -> None:
    assert found.keys() == WANTED.keys()


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_network_computes_what_it_did(name: str, found: dict[str, np.ndarray]) -> None:
    wanted = WANTED[name]
    assert wanted.std() > 0.01, "a constant says nothing"
    if wanted.dtype == np.uint8:
        assert np.abs(found[name].astype(int) - wanted).max() <= 1
    else:
        np.testing.assert_allclose(found[name], wanted, rtol=1e-3, atol=1e-3 * wanted.std())
