"""The published procedure of E2FGVI, as its test script goes about it: every window from nothing.

What the engine is measured against, in tests for equality and in ``bench/`` for speed.
"""

from __future__ import annotations

import types
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from cleanplate.networks.e2fgvi.e2fgvi import E2FGVI, MULTIPLE

STRIDE, STEP = 5, 10


class Window(NamedTuple):
    """One run of the network."""

    centre: int
    neighbours: range
    references: list[int]


def windows(count: int) -> list[Window]:
    """The runs for a clip of ``count`` frames."""
    found = []
    for centre in range(0, count, STRIDE):
        near = range(max(0, centre - STRIDE), min(count, centre + STRIDE + 1))
        found.append(Window(centre, near, [i for i in range(0, count, STEP) if i not in near]))
    return found


def dilated(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool of any mask: every pixel within city-block distance 4."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    return cv2.dilate((mask > 0).astype(np.uint8), cross, iterations=4) > 0


def padded(x: torch.Tensor) -> torch.Tensor:
    """(..., H, W) mirrored below and to the right up to the multiples that the network takes."""
    height, width = (
        -(-side // step) * step for side, step in zip(x.shape[-2:], MULTIPLE, strict=True)
    )
    x = torch.cat([x, x.flip(-2)], dim=-2)[..., :height, :]
    return torch.cat([x, x.flip(-1)], dim=-1)[..., :width]


def masked_frames(frames: np.ndarray, holes: np.ndarray) -> Tensor:
    """(N, 3, H, W) in -1..1, 0 in the ``holes``: what the network is given of ``frames``."""
    signed = torch.from_numpy(frames).permute(0, 3, 1, 2).float() / 255 * 2 - 1
    return signed * (1 - torch.from_numpy(holes)[:, None].float())


@torch.no_grad()
def run(network: E2FGVI, masked: Tensor, window: Window) -> Tensor:
    """The pictures of a window's neighbours, (n, 3, H, W) with the padding."""
    chosen = masked[[*window.neighbours, *window.references]]
    pictures, _ = network(padded(chosen)[None], len(window.neighbours))
    return pictures[: len(window.neighbours)]


def fill(
    network: E2FGVI, frames: np.ndarray, holes: np.ndarray, until: int | None = None
) -> np.ndarray:
    """``frames`` (N, H, W, 3) uint8 with the ``holes`` (N, H, W) bool filled.

    Only the first ``until`` frames are filled, if that is given.
    """
    count, height, width = holes.shape
    masked = masked_frames(frames, holes)
    blended: list[np.ndarray | None] = [None] * count
    for window in windows(count):
        if until is not None and window.centre - STRIDE >= until:
            break
        pictures = run(network, masked, window)
        values = ((pictures[..., :height, :width] + 1) / 2 * 255).permute(0, 2, 3, 1).numpy()
        for index, picture in zip(window.neighbours, values.astype(np.uint8), strict=True):
            new = np.where(holes[index][..., None], picture, frames[index]).astype(np.float32)
            old = blended[index]
            blended[index] = new if old is None else 0.5 * old + 0.5 * new
    return np.stack([b for b in blended if b is not None]).astype(np.uint8)


# ---- the network's layers as the paper's text has them, which the package computes otherwise -----


def as_written(network: E2FGVI) -> E2FGVI:
    """``network`` with patches unfolded and folded, all keys spelt out, and an explicit softmax."""
    for block in network.transformer:
        block.attn.forward = types.MethodType(_attention, block.attn)
        block.mlp.forward = types.MethodType(_feed_forward, block.mlp)
    network.sc.forward = types.MethodType(_composition, network.sc)
    return network


def _cut(x: Tensor) -> Tensor:
    """(B, T, rows, columns, c) to (B, windows, T, 45, c)."""
    x = x.unflatten(3, (-1, 9)).unflatten(2, (-1, 5)).permute(0, 2, 4, 1, 3, 5, 6)
    return x.flatten(4, 5).flatten(1, 2)


def _attention(layer: Any, y: Tensor, pooled: Tensor, part: Any, queries: Any) -> Tensor:
    """All frames and windows, whatever is asked for; keys in the order of the text."""
    batch, frames, *_, width = y.shape
    down, across = pooled.shape[2:4]
    q, *maps = layer.qkv(y).chunk(3, dim=-1)
    _, *far = layer.qkv(pooled).chunk(3, dim=-1)
    found = []
    for x, few in zip(maps, far, strict=True):
        shifts = ((-2, -4), (-2, 4), (2, -4), (2, 4))
        rolled = torch.cat([_cut(torch.roll(x, by, (2, 3))) for by in shifts], dim=3)
        wide = functional.pad(few.flatten(0, 1).permute(0, 3, 1, 2), (4, 4, 2, 2))
        near = functional.unfold(wide, (5, 9)).view(batch, frames, width, 45, down * across)
        keys = [_cut(x), rolled[:, :, :, layer.valid_ind_rolled], near.permute(0, 4, 1, 3, 2)]
        found.append(torch.cat(keys, dim=3).flatten(2, 3).unflatten(-1, (4, -1)).transpose(2, 3))
    ones = functional.pad(y.new_ones(1, 1, down, across), (4, 4, 2, 2))
    outside = functional.unfold(ones, (5, 9))[0].T == 0
    bias = torch.zeros(down * across, frames, 210)
    bias[:, :, 165:][outside[:, None].expand(-1, frames, -1)] = -100
    windows = _cut(q).flatten(2, 3).unflatten(-1, (4, -1)).transpose(2, 3) * 128**-0.5
    logits = windows @ found[0].transpose(-1, -2) + bias.flatten(1)[None, :, None, None]
    result = (torch.softmax(logits, dim=-1) @ found[1]).transpose(2, 3).flatten(3)
    result = layer.proj(result).view(batch, down, across, frames, 5, 9, width)
    return result.permute(0, 3, 1, 4, 2, 5, 6).reshape(y.shape)


def _folded(x: Tensor, rows: int, columns: int) -> Tensor:
    return functional.fold(x.transpose(1, 2), (3 * rows, 3 * columns), 7, stride=3, padding=3)


def _feed_forward(layer: Any, tokens: Tensor, part: Any, whole: Any) -> Tensor:
    _, rows, columns, _ = tokens.shape
    hidden = layer.conv1[0](tokens.flatten(1, 2))
    overlap = _folded(torch.ones(len(hidden), rows * columns, 49), rows, columns)
    image = _folded(hidden, rows, columns) / overlap
    patches = functional.unfold(image, 7, stride=3, padding=3).transpose(1, 2)
    return layer.conv2[1](functional.gelu(patches)).view(tokens.shape)


def _composition(layer: Any, tokens: Tensor, part: Any, whole: Any) -> Tensor:
    _, rows, columns, _ = tokens.shape
    features = _folded(layer.embedding(tokens.flatten(1, 2)), rows, columns)
    return layer.bias_conv(features) if hasattr(layer, "bias_conv") else features + layer.bias
