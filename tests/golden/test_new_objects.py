"""New objects get the ids that the published procedure gives once its slips are mended."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from cleanplate.engines.track._new_objects import new_objects
from tests.golden.conftest import Golden

CASE = "segtracker_fixed"


@pytest.mark.parametrize("name", ["deaot_t", "r50_deaotl"])
def test_new_objects_are_the_golden_ones(name: str, golden: Callable[[str], Golden]) -> None:
    one = golden(name)
    call = one.manifest["cases"][CASE]["call"]
    rules = json.loads(re.findall(r"\{.*?\}", call)[0])
    labels, wanted = one.array(f"{CASE}/labels"), one.array(f"{CASE}/new")
    searched = range(rules["sam_gap"], len(labels), rules["sam_gap"])
    assert {t for t, new in enumerate(wanted) if new.any()} <= set(searched)
    highest = one.inputs.COUNT
    for t in searched:
        # Each map of labels is the sum of what was tracked and what was new.
        tracked = np.where(wanted[t] != 0, 0, labels[t])
        proposals = one.inputs.proposals(t, count=one.inputs.COUNT + 2)
        share, area = rules["min_new_obj_iou"], rules["min_area"]
        found = new_objects(tracked, proposals, highest, share, area)
        np.testing.assert_array_equal(found, wanted[t])
        highest = max(highest, int(found.max()))
