"""A clip run through AOT or DeAOT: groups of ten objects over one encoder.

Yang et al., NeurIPS 2021, section 5, and the published evaluation: predict, feed the label map
back, remember every gap-th frame. Objects here are slots 1..n without gaps; ids are the engine's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cleanplate.engines.track.deaot.memory import Remembered

if TYPE_CHECKING:
    from torch import Tensor

    from cleanplate.networks.aot.aot import Aot
    from cleanplate.networks.aot.layers import Seen

GROUP = 10
_NEVER = -1e10  # logit of a channel that no object has


@dataclass(frozen=True, slots=True)
class Limits:
    """How much is remembered, and how large a picture is seen."""

    gap: int
    """A frame joins the long-term memory every so many."""
    ring: int
    confirmed: int
    longest: float = 800 * 1.3
    """px of the longer side at which the network sees a picture at most."""


@dataclass(slots=True)
class Group:
    """Up to ten objects."""

    memory: Remembered
    views: list[Seen] = field(default_factory=list)
    """What each layer saw in the frame at hand."""
    logits: Any = None
    """(11, h, w) of the frame at hand, at a quarter of the network's size."""


class Video:
    """One clip on its way through the network, one frame at hand."""

    def __init__(self, network: Aot, limits: Limits, device: str) -> None:
        import torch

        from cleanplate.networks.aot import aot

        self._torch, self._functions = torch, aot
        self._network, self.limits, self._device = network, limits, device
        self.count = 0
        """Objects known."""
        self.groups: list[Group] = []
        self.size = (0, 0)
        """(H, W) of the clip's frames."""
        self._image: np.ndarray | None = None
        self._maps: list[Tensor] = []
        self._places: Tensor | None = None

    # --- frames ---

    def see(self, image: np.ndarray) -> None:
        """Take ``image`` ((H, W, 3) uint8 RGB, read-only) as the frame at hand and encode it."""
        if image is self._image:
            return  # a frame that is corrected was just followed into
        torch = self._torch
        self.size = image.shape[:2]
        self._image = image
        self._maps = self._network.encode(torch.from_numpy(self.prepared(image)).to(self._device))
        if self._places is None:
            self._places = self._network.places(self._maps)

    def prepared(self, image: np.ndarray) -> np.ndarray:
        """(1, 3, h, w) float32: ``image`` as the network takes it."""
        height, width = self.network_size(image.shape[:2])
        resized = image.astype(np.float32)
        if image.shape[:2] != (height, width):
            # As float: cubic overshoot stays, as in the published evaluation.
            resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_CUBIC)
        mean, std = (
            np.array(one, np.float32) for one in (self._functions.MEAN, self._functions.STD)
        )
        return np.ascontiguousarray(((resized / 255 - mean) / std).transpose(2, 0, 1)[None])

    def network_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """(h, w) at which the network sees a picture of ``size`` (H, W)."""
        variant = self._network.variant
        return self._functions.fitted(*size, self.limits.longest, variant.align_corners)

    def confirm(self, labels: np.ndarray, count: int) -> None:
        """The frame at hand shows ``count`` objects where ``labels`` ((H, W) slots) says.

        Every group remembers it for good; groups are made for objects that are new.
        """
        self.count = count
        while len(self.groups) < max(1, -(-count // GROUP)):
            memory = Remembered(self.limits.ring, self.limits.confirmed)
            self.groups.append(Group(memory))
        for group, identity in zip(self.groups, self._identities(labels), strict=True):
            outputs, group.views = self._network.propagate(
                self._maps, self._where(), None, identity
            )
            group.memory.confirm(self._network.remembered(group.views, identity))
            group.logits = self._decoded(outputs)

    def match(self) -> None:
        """Look for the objects in the frame at hand."""
        for group in self.groups:
            group.memory.since += 1
            outputs, group.views = self._network.propagate(
                self._maps, self._where(), group.memory.reading()
            )
            group.logits = self._decoded(outputs)

    def match_anew(self) -> None:
        """Look for the objects in the first frame of a shot.

        Around each place the frame before shows something else. The confirmed frame stands for it
        at first, then what was found so.
        """
        for group in self.groups:
            group.memory.short = group.memory.confirmed[-1]
        self.match()
        labels = self.joined().argmax(dim=0).cpu().numpy().astype(np.uint8)
        for group, identity in zip(self.groups, self._identities(labels), strict=True):
            group.memory.short = self._network.remembered(group.views, identity)
            group.memory.since -= 1  # it is still one frame
        self.match()

    def probabilities(self) -> Tensor:
        """(count + 1, H, W): the share of the background and of each slot in the frame at hand."""
        return self.joined().softmax(dim=0)

    def joined(self) -> Tensor:
        """(count + 1, H, W) logits at the frame's size, all groups together."""
        torch = self._torch
        full = [self._full(group, index) for index, group in enumerate(self.groups)]
        if len(full) == 1:
            return full[0]
        # Background is where every group sees background (soft aggregation).
        shares = [one.softmax(dim=0) for one in full]
        background = torch.stack([one[0] for one in shares]).prod(dim=0, keepdim=True)
        together = torch.cat([background, *(one[1:] for one in shares)])
        return together.clamp(1e-5, 1 - 1e-5).logit()

    def pass_on(self, labels: np.ndarray, keep: bool = True) -> None:
        """The frame at hand is done, its objects where ``labels`` ((H, W) slots) says.

        ``keep`` False: it does not join the long-term memory, whatever its turn.
        """
        for group, identity in zip(self.groups, self._identities(labels), strict=True):
            frame = self._network.remembered(group.views, identity)
            group.memory.pass_on(frame, keep and group.memory.since >= self.limits.gap)

    # --- parts ---

    def _identities(self, labels: np.ndarray) -> list[Tensor]:
        """For each group the embedding of its own objects; others are background to it."""
        torch = self._torch
        small = self._reduced(labels)
        found = []
        for index in range(len(self.groups)):
            own = small.astype(np.int64) - index * GROUP
            own[(own < 0) | (own > GROUP) | (small == 0)] = 0
            found.append(self._network.identity(torch.from_numpy(own)[None].to(self._device)))
        return found

    def _reduced(self, labels: np.ndarray) -> np.ndarray:
        """Labels at the network's size: the pixel at floor(i * in / out), as the weights expect."""
        height, width = self.network_size(labels.shape)
        rows = np.arange(height) * labels.shape[0] // height
        columns = np.arange(width) * labels.shape[1] // width
        return labels[rows[:, None], columns]

    def _decoded(self, outputs: list[Tensor]) -> Tensor:
        return self._network.decode(self._maps, outputs)[0].float()

    def _full(self, group: Group, index: int) -> Tensor:
        """(n + 1, H, W) logits of one group, of its n objects."""
        own = min(GROUP, self.count - index * GROUP)
        large = self._torch.nn.functional.interpolate(
            group.logits[None, : own + 1],
            self.size,
            mode="bilinear",
            align_corners=self._network.variant.align_corners,
        )
        return large[0]

    def _where(self) -> Tensor:
        assert self._places is not None, "a frame was seen"
        return self._places
