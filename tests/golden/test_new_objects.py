"""New objects get the ids that the published procedure gives, with its slips and without them.

The program leaves the slips out. The case that has them is followed with them put in here, so that
all that surrounds them is held to it too.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import torch

from cleanplate.engines.track.deaot.memory import Remembered
from cleanplate.engines.track.deaot.new_objects import new_objects
from cleanplate.engines.track.deaot.video import GROUP, Group, Limits, Video
from tests.golden.conftest import Case
from tests.golden.test_aot import SLOW, network_of

if TYPE_CHECKING:
    from cleanplate.networks.aot import aot
    from cleanplate.networks.aot.layers import KeyValue

__all__ = ["SLOW"]


@dataclass(frozen=True, slots=True)
class Rules:
    """The procedure's settings, as the case states them."""

    every: int
    area: int
    share: float
    gap: int
    longest: int

    @classmethod
    def of(cls, case: Case) -> Rules:
        said = json.loads(re.findall(r"\{.*?\}", case["call"])[0])
        gap, longest = (
            int(re.findall(rf"{name} (\d+)", case["call"])[0])
            for name in ("long_term_mem_gap", "max_len_long_term")
        )
        return cls(said["sam_gap"], said["min_area"], said["min_new_obj_iou"], gap, longest)


def proposed(case: Case, index: int) -> np.ndarray:
    return case.inputs.proposals(index, count=case.inputs.COUNT + 2)


def with_slips(tracked: np.ndarray, proposals: np.ndarray, highest: int, rules: Rules) -> Any:
    """As ``new_objects``, numbered as published: from the highest id on, in the map itself."""
    free, number = np.where(tracked == 0, proposals, 0).astype(int), highest
    for one in np.unique(free)[1:]:
        here = free == one
        if here.sum() < max(rules.area, rules.share * (proposals == one).sum()):
            free[here] = 0
        else:
            free[here], number = number, number + 1
    return free.astype(np.uint8)


def found_in(case: Case, tracked: np.ndarray, index: int, highest: int) -> np.ndarray:
    rules, proposals = Rules.of(case), proposed(case, index)
    if "as published" in case["quirk"]:
        return with_slips(tracked, proposals, highest, rules)
    return new_objects(tracked, proposals, highest, rules.share, rules.area)


class PublishedMemory(Remembered):
    """The newest frames, whoever vouched for the older ones."""

    def confirm(self, frame: list[KeyValue]) -> None:
        self.short = frame
        self.pass_on(frame, sample=True)


class PublishedVideo(Video):
    """Pictures are resized as 8 bits, and only groups that grew look at a confirmed frame."""

    def prepared(self, image: np.ndarray) -> np.ndarray:
        size = self.network_size(image.shape[:2])
        return super().prepared(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC))

    def vouch(self, labels: np.ndarray, count: int) -> None:
        if not self.groups or count > self.count:
            assert count <= GROUP, "these goldens have one group"
            if not self.groups:
                self.groups.append(Group(PublishedMemory(self.limits.ring, 0)))
            self.confirm(labels, count)
        else:
            self.pass_on(labels, keep=False)


@pytest.mark.compares("aot", "new objects")
def test_new_objects_are_the_golden_ones(case: Case, built: dict[str, aot.Aot]) -> None:
    rules, count = Rules.of(case), case.inputs.COUNT
    wanted, fresh, ids, tokens = map(case.wanted, ("labels", "new", "ids", "memory_tokens"))
    video = PublishedVideo(network_of(case, built), Limits(rules.gap, rules.longest, 0), "cpu")
    frames = [case.inputs.frame(t, count=count + 2) for t in range(len(wanted))]
    with torch.inference_mode():
        first = case.inputs.labels(0, count=count + 2)
        labels, highest = np.where(first > count, 0, first), count
        for index, frame in enumerate(frames):
            video.see(frame)
            new = np.zeros_like(labels)
            if index == 0:
                video.vouch(labels, count)
            else:
                video.match()
                labels = video.joined().argmax(dim=0).numpy().astype(np.uint8)
                if index % rules.every == 0:
                    new = found_in(case, labels, index, highest)
                    labels = labels + new
                    highest = max(highest, int(new.max()))
                    video.vouch(labels, highest)
                else:
                    video.pass_on(labels)
            most = case["tolerance"]["labels_share"]
            assert (labels != wanted[index]).mean() <= most, f"frame {index}"
            assert (new != fresh[index]).mean() <= most, f"frame {index}"
            assert [highest, video.count] == ids[index].tolist()
            assert max(group.memory.tokens for group in video.groups) == tokens[index]


@pytest.mark.compares("aot", "new objects")
def test_from_the_same_map_new_objects_are_exactly_the_golden_ones(case: Case) -> None:
    wanted, fresh = case.wanted("labels"), case.wanted("new")
    case.leave("ids", "memory_tokens")
    every, highest = Rules.of(case).every, case.inputs.COUNT
    assert {t for t, new in enumerate(fresh) if new.any()} <= set(range(every, len(fresh), every))
    for index in range(every, len(fresh), every):
        # Each map of labels is the sum of what was tracked and what was new.
        tracked = np.where(fresh[index] != 0, 0, wanted[index])
        found = found_in(case, tracked, index, highest)
        np.testing.assert_array_equal(found, fresh[index])
        highest = max(highest, int(found.max()))
