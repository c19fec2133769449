"""Nothing that the goldens hold goes uncompared."""

from __future__ import annotations

import pytest

from tests.golden import (
    test_aot,
    test_e2fgvi,
    test_e2fgvi_clips,
    test_i3d,
    test_lama,
    test_measures,
    test_new_objects,
    test_sam,
    test_sam2,
    test_sam2_clips,
    test_sam_everything,
    test_siammask,
    test_vinet,
    test_vinet_clips,
)
from tests.golden.conftest import goldens_in, root_of

MODULES = (
    *(test_aot, test_new_objects, test_e2fgvi, test_e2fgvi_clips, test_i3d, test_measures),
    *(test_lama, test_sam2, test_sam2_clips),
    *(test_sam, test_sam_everything, test_siammask, test_vinet, test_vinet_clips),
)
COMPARED = {
    mark.args
    for module in MODULES
    for test in vars(module).values()
    for mark in getattr(test, "pytestmark", ())
    if mark.name == "compares"
}


def test_a_test_compares_every_case(pytestconfig: pytest.Config) -> None:
    root = root_of(pytestconfig)
    found = goldens_in(root)
    if not found:
        pytest.skip(f"NO GOLDENS: there are none in {root}; give --goldens DIR")
    strange = [one.name for one in found if one.family is None]
    assert not strange, f"no test knows these networks: {', '.join(strange)}"
    unknown = [
        f"{case} ({', '.join(case.listed) or 'no outputs'})"
        for one in found
        for case in one.cases()
        if (one.family, case.kind) not in COMPARED
    ]
    assert not unknown, f"no test knows what these cases are: {'; '.join(unknown)}"
