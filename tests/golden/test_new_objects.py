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

from cleanplate.engines.track.deaot.memory import GroupMemory
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


class PublishedMemory(GroupMemory):
    """The newest frames, whoever vouched for the older ones."""

    def confirm(self, frame: list[KeyValue]) -> None:
        self.short = frame
        self.pass_on(frame, sample=True)


class PublishedVideo(Video):
    """Pictures are resized as 8 bits, and only groups that grew take a reference as such."""

    def prepared(self, image: np.ndarray) -> np.ndarray:
        size = self.network_size(image.shape[:2])
        return super().prepared(cv2.resize(image, size[::-1], interpolation=cv2.INTER_CUBIC))

    def vouch(self, labels: np.ndarray, count: int) -> None:
        """A reference; to a group that did not grow it is a tracked frame like any other.

        So it joins that group's long-term memory when its turn has come, and only then.
        """
        before, every_group = self.count, self.groups
        while len(every_group) * GROUP < count:
            every_group.append(Group(PublishedMemory(self.limits.ring, 0)))
        for index, group in enumerate(every_group):
            local = labels.astype(int) - index * GROUP
            local[(local < 0) | (local > GROUP)] = 0
            self.groups = [group]
            if count > before and count > index * GROUP and before < (index + 1) * GROUP:
                self.confirm(local.astype(np.uint8), min(GROUP, count - index * GROUP))
            else:
                self.pass_on(local.astype(np.uint8))
        self.groups, self.count = every_group, count


SHARE = 1e-4
"""Pixels of a frame that may differ: those at a tie."""
TIE = 2e-3
"""Between the two largest logits. One level of one resized sample moves them by half of it."""


@pytest.mark.compares("aot", "new objects")
def test_new_objects_are_the_golden_ones(case: Case, built: dict[str, aot.Aot]) -> None:
    """Each frame from the golden's own past, so that a tie in one does not grow in the next."""
    rules, count = Rules.of(case), case.inputs.COUNT
    wanted, fresh, ids, tokens = map(case.wanted, ("labels", "new", "ids", "memory_tokens"))
    video = PublishedVideo(network_of(case, built), Limits(rules.gap, rules.longest, 0), "cpu")
    highest = count
    with torch.inference_mode():
        for index in range(len(wanted)):
            video.see(case.inputs.frame(index, count=count + 2))
            if index == 0:
                first = case.inputs.labels(0, count=count + 2)
                np.testing.assert_array_equal(np.where(first > count, 0, first), wanted[0])
                video.vouch(wanted[0], count)
            else:
                video.match()
                logits = video.joined()
                # Each map of labels is the sum of what was tracked and what was new.
                tracked = np.where(fresh[index] != 0, 0, wanted[index])
                differs = logits.argmax(dim=0).numpy() != tracked
                first_two = logits.topk(2, dim=0).values
                assert differs.mean() <= SHARE, f"frame {index}"
                assert not ((first_two[0] - first_two[1]).numpy()[differs] > TIE).any()
                if index % rules.every == 0:
                    highest = max(highest, int(fresh[index].max()))
                    video.vouch(wanted[index], highest)
                else:
                    video.pass_on(wanted[index])
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
