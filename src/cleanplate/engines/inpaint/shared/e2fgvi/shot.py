"""The published procedure of E2FGVI on one shot, with each thing computed once.

Every fifth frame is the centre of a window: its neighbours up to five frames away, and as
references every tenth frame of the shot. The window's fills of the neighbours are blended. A frame
is encoded once, the flow between two frames is computed once, references are kept as tokens, only
neighbours with a hole are decoded, and only around their holes; what no later window needs is
dropped. Windows lie at the same frames wherever a stream begins: a resumed job gives the same fill.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from cleanplate.engines.inpaint.shared.e2fgvi.pictures import Picture
from cleanplate.engines.inpaint.shared.e2fgvi.plan import STEP, STRIDE
from cleanplate.networks.e2fgvi.e2fgvi import E2FGVI, MULTIPLE, Crop
from cleanplate.networks.e2fgvi.spynet import Pyramid

_BATCH = 2 * 240 * 432  # pixels that are encoded or decoded at once


@dataclass(slots=True, eq=False)
class _Entry:
    """What is known of one frame."""

    picture: Picture
    features: Tensor | None = None
    """(1, 128, h, w)."""
    pyramid: Pyramid | None = None
    flows: tuple[Tensor, Tensor] | None = None
    """(1, 2, h, w) each: from this frame to the next one, and back."""
    tokens: Tensor | None = None
    """(1, rows, columns, 512) of the features as they are: what a reference shows."""
    fill: np.ndarray | None = None
    """float32 0..255: the blend of what the windows painted so far, in the box of the hole."""

    def blend(self, crop: Crop, painted: np.ndarray) -> None:
        """Mix in what one window painted: ``painted`` is uint8 and shows ``crop``."""
        rows, columns = _box(self.picture.hole)
        inside = (
            slice(rows.start - 4 * crop.top, rows.stop - 4 * crop.top),
            slice(columns.start - 4 * crop.left, columns.stop - 4 * crop.left),
        )
        new = painted[inside].astype(np.float32)
        self.fill = new if self.fill is None else 0.5 * self.fill + 0.5 * new

    def painted(self) -> np.ndarray | None:
        """(h, w, 3) uint8, of use inside the hole; None where there is none."""
        if self.fill is None:
            return None
        picture = np.zeros_like(self.picture.image)
        picture[_box(self.picture.hole)] = self.fill.astype(np.uint8)
        return picture


@dataclass(slots=True)
class Shot:
    """Feed it frames in order with ``add``; ``finished`` gives their fills, in order."""

    network: E2FGVI
    device: str
    reach: int | None
    """How far from a window's centre references are taken; None is the whole shot."""
    _entries: dict[int, _Entry] = field(default_factory=dict)
    _next_out: int = -1
    _next_centre: int = -1
    _newest: int = -1

    def add(self, index: int, picture: Picture) -> None:
        """One more frame; ``index`` counts up by one."""
        if self._next_out < 0:
            self._next_out, self._next_centre = index, -(-index // STRIDE) * STRIDE
        self._entries[index] = _Entry(picture)
        self._newest = index

    def finished(self, ended: bool) -> Iterator[tuple[Picture, np.ndarray | None]]:
        """Frames that no later window changes: what was seen, and what was painted.

        The painting is (h, w, 3) uint8, of use inside the hole; None where there is no hole.

        Args:
            ended: whether the shot has no more frames.
        """
        if ended and self._next_centre > self._newest:
            self._next_centre = self._next_out  # too short to hold a fifth frame
        while self._can_run(ended):
            self._run(self._next_centre)
            self._next_centre += STRIDE
            last = ended and self._next_centre > self._newest
            yield from self._released(self._newest + 1 if last else self._next_centre - STRIDE)
            self._forget()

    def _can_run(self, ended: bool) -> bool:
        if ended:
            return self._next_centre <= self._newest
        if self.reach is None:
            return False
        return self._newest >= self._next_centre + max(STRIDE, self.reach)

    def _released(self, stop: int) -> Iterator[tuple[Picture, np.ndarray | None]]:
        while self._next_out < stop:
            entry = self._entries[self._next_out]
            self._next_out += 1
            painted, entry.fill = entry.painted(), None
            yield entry.picture, painted

    def _forget(self) -> None:
        """Drop what the next window and those after it cannot need."""
        oldest = self._next_centre - STRIDE
        furthest = -1 if self.reach is None else self._next_centre - self.reach
        for index in [index for index in self._entries if index < oldest]:
            entry = self._entries[index]
            if index % STEP or index < furthest:
                del self._entries[index]
            elif entry.tokens is not None:
                empty = np.empty((0, 0), bool)
                self._entries[index] = _Entry(Picture(empty, empty), tokens=entry.tokens)
            else:
                entry.pyramid = entry.flows = None

    # ---- one window ------------------------------------------------------------------------

    @torch.inference_mode()
    def _run(self, centre: int) -> None:
        near = [i for i in range(centre - STRIDE, centre + STRIDE + 1) if i in self._entries]
        local = [self._entries[i] for i in near]
        wanted = [n for n, entry in enumerate(local) if entry.picture.hole.any()]
        if not wanted:
            return
        references = [self._entries[i] for i in self._references(centre, near)]
        self._encode(local + references)
        self._estimate(local)
        features = self._carried(local)
        tokens = torch.cat([self.network.ss(features), *self._tokens(references)])[None]
        crop = _around([local[n].picture.hole for n in wanted])
        part = crop.part(*features.shape[-2:])
        found = self.network.transform(tokens, part, wanted)[0]
        del tokens
        step = _batch(local[0].picture.hole.size)
        for start in range(0, len(wanted), step):
            chosen = wanted[start : start + step]
            some = found[start : start + step]
            pictures = self.network.decode(some, features[chosen], part, crop)
            values = ((pictures + 1) / 2 * 255).permute(0, 2, 3, 1).cpu().numpy().astype(np.uint8)
            for n, picture in zip(chosen, values, strict=True):
                local[n].blend(crop, picture)

    def _references(self, centre: int, near: list[int]) -> list[int]:
        reach = self._newest if self.reach is None else self.reach
        first, last = centre - reach, centre + reach
        every = (i for i in sorted(self._entries) if i % STEP == 0 and first <= i <= last)
        return [i for i in every if i not in near]

    def _encode(self, entries: list[_Entry]) -> None:
        """Features of the frames that have none yet; tokens will do for references."""
        new = [e for e in entries if e.features is None and e.tokens is None]
        if not new:
            return
        step = _batch(new[0].picture.hole.size)
        for start in range(0, len(new), step):
            some = new[start : start + step]
            frames = torch.cat([masked(entry.picture) for entry in some]).to(self.device)
            features = self.network.encode(frames)
            for number, entry in enumerate(some):
                entry.features = features[number : number + 1].clone()
                entry.pyramid = self.network.pyramid(frames[number : number + 1])

    def _estimate(self, local: list[_Entry]) -> None:
        """The flow between each of the ``local`` frames and the next one."""
        for one, other in itertools.pairwise(local):
            if one.flows is None:
                assert one.pyramid is not None
                assert other.pyramid is not None
                both = one.pyramid.joined(other.pyramid), other.pyramid.joined(one.pyramid)
                there, back = self.network.update_spynet.flow(*both).split(1)
                one.flows, one.pyramid = (there, back), None

    def _carried(self, local: list[_Entry]) -> Tensor:
        """(L, 128, h, w): the features of the local frames, propagated."""
        features = torch.cat([e.features for e in local if e.features is not None])[None]
        flows = [entry.flows for entry in local[:-1] if entry.flows is not None]
        if not flows:
            none = features.new_zeros(1, 0, 2, *features.shape[-2:], dtype=torch.float32)
            return self.network.feat_prop_module(features, none, none)[0]
        forward, backward = (torch.stack([pair[way] for pair in flows], dim=1) for way in (0, 1))
        return self.network.feat_prop_module(features, forward, backward)[0]

    def _tokens(self, references: list[_Entry]) -> list[Tensor]:
        for entry in references:
            if entry.tokens is None:
                entry.tokens = self.network.ss(entry.features)
        return [entry.tokens for entry in references if entry.tokens is not None]


def masked(picture: Picture) -> Tensor:
    """(1, 3, H, W) float32 in -1..1, 0 in the hole, mirrored up to the size a network takes."""
    padding = [(0, -side % step) for side, step in zip(picture.hole.shape, MULTIPLE, strict=True)]
    image = np.pad(picture.image, (*padding, (0, 0)), "symmetric")
    hole = np.pad(picture.hole, padding, "symmetric")
    signed = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255 * 2 - 1
    return signed * torch.from_numpy(~hole)


def _batch(pixels: int) -> int:
    return max(1, _BATCH // pixels)


def _box(hole: np.ndarray) -> tuple[slice, slice]:
    """The rows and columns that hold all of ``hole``."""
    rows, columns = (np.flatnonzero(hole.any(axis=axis)) for axis in (1, 0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _around(holes: list[np.ndarray]) -> Crop:
    """The features that hold all of ``holes``."""
    boxes = [_box(hole) for hole in holes]
    first = [min(box[axis].start for box in boxes) // 4 for axis in (0, 1)]
    last = [-(-max(box[axis].stop for box in boxes) // 4) for axis in (0, 1)]
    return Crop(*first, *last)
