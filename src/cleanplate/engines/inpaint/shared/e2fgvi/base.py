"""What the engines e2fgvi and e2fgvi_hq share. Only what computes imports torch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np

from cleanplate.engines.inpaint.shared.e2fgvi.plan import STEP, STRIDE, Plan, plan, weights
from cleanplate.engines.inpaint.shared.inputs import same_sizes
from cleanplate.protocols import Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Box, Frame, MaskedFrame

if TYPE_CHECKING:
    from cleanplate.engines.inpaint.shared.e2fgvi.pictures import AsItIs, Fitted
    from cleanplate.engines.inpaint.shared.e2fgvi.shot import Shot

_ITEM = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Settings:
    reach: int | None = setting(
        50,
        "How far, each way, every tenth frame is a reference. A shot no longer than this is filled "
        "exactly as published; none: any shot is, and memory grows with it.",
        low=0,
        high=1000,
        unit="frames",
    )
    dilation: int = setting(
        4,
        "How much wider than the mask the hole is that the network sees.",
        low=0,
        high=50,
        unit="px",
    )
    weights: str = setting("", "A weights file; empty takes the one of cleanplate weights.")

    def __post_init__(self) -> None:
        check(self)


@dataclass(slots=True, eq=False)
class _Tile:
    """A part of a region on its way through the network."""

    box: Box
    weights: np.ndarray
    sight: AsItIs | Fitted
    shot: Shot


class Learned:
    """An engine; ``_sight`` and ``_plan`` are what differs."""

    def __init__(self, settings: Settings, runtime: Runtime, name: str) -> None:
        import torch

        from cleanplate import checkpoints
        from cleanplate.networks.e2fgvi import e2fgvi
        from cleanplate.networks.layers.winograd import quicken

        self.settings, self._runtime = settings, runtime
        network = getattr(e2fgvi, name)().eval().requires_grad_(False)
        checkpoints.load(network, name, settings.weights)
        network.reduce(getattr(torch, runtime.precision))
        self._network = network.to(runtime.device, memory_format=torch.channels_last)
        quicken(self._network)

    @property
    def _ahead(self) -> int | None:
        return None if self.settings.reach is None else max(STRIDE, self.settings.reach)

    @property
    def lookahead(self) -> int | None:
        """The last window with the frame in it is centred up to five frames later."""
        return None if self._ahead is None else STRIDE + self._ahead

    @property
    def lookback(self) -> int | None:
        return self.lookahead

    @property
    def window(self) -> int | None:
        """From the first neighbour to the last reference, and the references before."""
        if self._ahead is None:
            return None
        return STRIDE + self._ahead + 1 + self._ahead // STEP + 1

    def plan(self, width: int, height: int) -> Plan:
        """How a region of this size is worked through within the memory that is allowed."""
        raise NotImplementedError

    def _sight(self, width: int, height: int) -> Any:
        raise NotImplementedError

    def _planned(self, width: int, height: int, tiled: bool) -> Plan:
        item = _ITEM[self._runtime.precision]
        return plan(width, height, self.settings.reach, item, self._runtime.memory, tiled)

    def inpaint(self, frames: Iterable[MaskedFrame]) -> Iterator[Frame]:
        for _, shot in groupby(same_sizes(frames), key=lambda masked: masked.frame.shot):
            yield from self._fill_shot(shot)

    def _fill_shot(self, shot: Iterator[MaskedFrame]) -> Iterator[Frame]:
        held: deque[MaskedFrame] = deque()
        tiles: list[_Tile] = []
        for masked in shot:
            tiles = tiles or self._tiles(*masked.mask.shape[::-1])
            held.append(masked)
            for tile in tiles:
                inside = tile.box.slices
                hole = masked.mask[inside] != 0
                picture = tile.sight.take(masked.frame.image[inside], hole)
                tile.shot.add(masked.frame.index, picture)
            del masked
            yield from _released(held, tiles, ended=False)
        yield from _released(held, tiles, ended=True)

    def _tiles(self, width: int, height: int) -> list[_Tile]:
        from cleanplate.engines.inpaint.shared.e2fgvi.shot import Shot

        chosen = self.plan(width, height)
        return [
            _Tile(
                box,
                weights(box, width, height),
                self._sight(box.width, box.height),
                Shot(self._network, self._runtime.device, chosen.reach),
            )
            for box in chosen.tiles
        ]


def _released(held: deque[MaskedFrame], tiles: list[_Tile], ended: bool) -> Iterator[Frame]:
    """The oldest of the ``held`` frames, as far as no tile's later window changes them."""
    for parts in zip(*(tile.shot.finished(ended) for tile in tiles), strict=True):
        masked = held.popleft()
        hole = masked.mask != 0
        if not hole.any():
            yield masked.frame
            continue
        pasted: list[tuple[_Tile, np.ndarray]] = []
        for tile, (seen, fill) in zip(tiles, parts, strict=True):
            if fill is not None:
                image, inside = masked.frame.image[tile.box.slices].copy(), hole[tile.box.slices]
                tile.sight.paste(image, inside, seen, fill)
                pasted.append((tile, image))
        image = _mixed(pasted, hole.shape)
        image[~hole] = masked.frame.image[~hole]
        image.flags.writeable = False
        yield replace(masked.frame, image=image)
        del masked


def _mixed(parts: list[tuple[_Tile, np.ndarray]], shape: tuple[int, ...]) -> np.ndarray:
    """(H, W, 3) uint8: the tiles' images, each by its weights."""
    if len(parts) == 1 and parts[0][1].shape[:2] == shape:
        return parts[0][1]
    values, total = np.zeros((*shape, 3), np.float32), np.zeros((*shape, 1), np.float32)
    for tile, image in parts:
        weight = tile.weights[..., None]
        values[tile.box.slices] += weight * image
        total[tile.box.slices] += weight
    return np.rint(values / np.maximum(total, 1e-6)).astype(np.uint8)
