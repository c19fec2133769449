"""What a half-transparent overlay does to the picture behind it, learnt from many frames.

An overlay of opacity a and colour W shows J = a W + (1 - a) I of the picture I (the model of Dekel
et al., CVPR 2017). I is guessed smoothly from around the overlay. A line through J and I at each
pixel would need much change behind every pixel; instead what is raised against its surroundings
shares one colour, and so does what is sunk (letters, and their shadow). The colour comes from all
of its pixels at all times; then the opacity of each pixel is a single unknown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from cleanplate.arrays.blending import surrounding_variance
from cleanplate.arrays.harmonic import harmonic_fill
from cleanplate.arrays.masks import bounding_box, grow
from cleanplate.arrays.overlay import relief, shapes, what_stays

LEAST_FRAMES = 8  # fewer say too little of a colour
_LEAST_SIDE = 16  # px: in a smaller picture there is nothing around an overlay
_LEAST_PIXELS = 20  # of one colour
_BUDGET = 6_000_000  # pixels of all frames that are fitted at once
_SHOWN = 0.75  # strength from which on a frame shows the overlay
_TIGHT = 0.4  # share of the mask covered by shapes from which on the mask is the overlay's outline
_STILL = 1.0  # grey levels by which the surroundings must change
_TOO_STILL = 0.15  # share of stable edges beside the mask from which on nothing moves
_CORE = 0.5  # part of the usual relief from which on a pixel tells the colour
_ROUNDS = 2  # of colour, then opacity
_PLAIN = 0.1  # opacity from which on both a letter and its shadow are plain to see
_MEETING = 2  # px on each side of where they meet
_LEFT = 2.5  # grey levels a px: an edge that is still there when the overlay is undone
_AGREEING = 0.6  # share of the frames in which it is
_OUTLINE = 1  # px on each side of such an edge
_LIKE = 0.3  # correlation of J and guessed I below which the line is not made steeper for it
_OPAQUE = 0.8  # opacity beyond which too little of the picture is left
_SLIPS = 4.0  # grey levels squared by which an overlay is misjudged where it is thin
_RESTLESS = 12.0  # grey levels beyond black and white that an undone pixel may reach
_GREY = 128.0  # of a picture of which nothing is known
_STUBBORN = 100.0  # squared grey levels a pixel that speak for the usual strength
_GONE, _AS_USUAL = 0.1, 0.15  # strengths taken for 0, and distance from 1 taken for none
_AROUND = 8  # px around the overlay that the guess looks at


@dataclass(frozen=True, slots=True, eq=False)
class Matte:
    """An overlay."""

    mask: np.ndarray
    """(H, W) bool: the mask under which it was looked for."""
    inside: np.ndarray
    """(H, W) bool: where it may be."""
    opacity: np.ndarray
    """(H, W) float32, 0..1, 0 where it is not."""
    paint: np.ndarray
    """(H, W, 3) float32: opacity times colour."""
    doubtful: np.ndarray
    """(H, W) bool: where it hides the picture, or is not known."""
    origin: tuple[int, int]
    """(x, y) of these arrays in the whole picture."""


def learn(images: Sequence[np.ndarray], mask: np.ndarray, origin: tuple[int, int]) -> Matte | None:
    """The overlay under ``mask``; None where the frames do not tell it from the background.

    Args:
        images: (H, W, 3) uint8 RGB, spread over time, the more shots the better.
        mask: (H, W) bool: where it may be.
        origin: (x, y) of the images in the whole picture.
    """
    if len(images) < LEAST_FRAMES or min(mask.shape) < _LEAST_SIDE or not mask.any():
        return None
    stays = what_stays(images)
    found = shapes(stays)
    beside = grow(mask.astype(np.uint8), 3) == 0
    if not ((found & mask).any() and beside.any()):
        return None
    if np.median(stays.motion[beside]) < _STILL or found[beside].mean() > _TOO_STILL:
        return None
    # A guess that looks into the overlay is worse than one from further away.
    tight = found[mask].mean() > _TIGHT
    inside = mask if tight else (grow(found.astype(np.uint8), 4) > 0) & mask
    shown = [image for image, one in zip(images, stays.strength > _SHOWN, strict=True) if one]
    most = min(len(shown), _BUDGET // np.count_nonzero(inside))
    if most < LEAST_FRAMES:
        return None
    chosen = [shown[i] for i in np.linspace(0, len(shown) - 1, most).round().astype(int)]
    seen = np.stack([image[inside] for image in chosen]).astype(np.float32)
    guess = np.stack([harmonic_fill(image, inside, _GREY)[inside] for image in chosen])
    matte = _fitted(seen, guess, relief(stays)[inside], mask, inside, origin)
    return _checked(matte, shown)


def _checked(matte: Matte, images: Sequence[np.ndarray]) -> Matte:
    """``matte``, doubtful where something of it is still the same in all frames when it is undone.

    Letters with a soft glow, and edges that video coding has smeared, are not of one colour: thin
    outlines of them stay, which are filled rather than left to be seen.
    """
    left = what_stays([undo(image, matte)[0] for image in images])
    outlines = (left.size > _LEFT) & (left.agreement > _AGREEING) & matte.inside
    outlines = grow(outlines.view(np.uint8), _OUTLINE) > 0
    return replace(matte, doubtful=matte.doubtful | (outlines & matte.inside))


def _fitted(
    seen: np.ndarray,
    guess: np.ndarray,
    raised: np.ndarray,
    mask: np.ndarray,
    inside: np.ndarray,
    origin: tuple[int, int],
) -> Matte:
    opacity, paint = np.zeros(mask.shape, np.float32), np.zeros((*mask.shape, 3), np.float32)
    share, colour = np.zeros(len(raised), np.float32), np.zeros((len(raised), 3), np.float32)
    unknown, meeting = np.ones(len(raised), bool), np.ones(mask.shape, bool)
    for sign in (1, -1):
        chosen = np.flatnonzero((raised > 0) == (sign > 0))
        if len(chosen) < _LEAST_PIXELS:
            meeting[:] = False
            continue
        height = sign * raised[chosen]
        core = height > _CORE * np.percentile(height, 90)
        share[chosen], colour[chosen] = _layer(seen[:, chosen], guess[:, chosen], core)
        unknown[chosen] = False
        solid = np.zeros(mask.shape, np.uint8)
        if np.median(share[chosen[core]]) > _PLAIN:
            solid[inside] = np.isin(np.arange(len(raised)), chosen[core])
        # Where a letter meets its shadow, neither colour explains what is seen.
        meeting &= grow(solid, _MEETING) > 0
    opacity[inside], paint[inside] = share, share[:, None] * colour
    doubtful = (opacity > _OPAQUE) | meeting
    doubtful[inside] |= unknown
    return Matte(mask, inside, opacity, paint, doubtful, origin)


def _layer(seen: np.ndarray, guess: np.ndarray, core: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The opacity (P,) of each of P pixels and their one colour (3,), from (n, P, 3) values.

    Frames whose guess is bad count little (weights as Geman and McClure's).
    """
    colour = _colour(seen[:, core], guess[:, core])
    weights = np.ones(seen.shape[:2], np.float32)
    opacity = np.zeros(seen.shape[1], np.float32)
    for number in range(_ROUNDS):
        contrast, w = colour - guess, weights[..., None]
        along = (w * (seen - guess) * contrast).sum((0, 2))
        opacity = np.clip(along / ((w * contrast**2).sum((0, 2)) + 1), 0, 1)
        if number == _ROUNDS - 1:
            break
        off = np.abs(seen - guess - opacity[:, None] * contrast).mean(axis=2)
        weights = _weights(off, np.median(off, axis=0))
        w, a = weights[..., None], opacity[:, None]
        power = max(float((weights * opacity**2).sum()), 1e-3)
        colour = np.clip((w * a * (seen - (1 - a) * guess)).sum((0, 1)) / power, 0, 255)
    return opacity, colour


def _colour(seen: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """The colour W of J = a W + (1 - a) I for pixels of about one opacity, from all of them."""
    weights = np.ones(seen.shape[:2], np.float32)
    colour = np.zeros(3, np.float32)
    for _ in range(3):
        w, total = weights[..., None], weights.sum()
        mean_i, mean_j = (w * guess).sum((0, 1)) / total, (w * seen).sum((0, 1)) / total
        i, j = guess - mean_i, seen - mean_j
        var_i, var_j = float((w * i * i).sum()) + 1e-3, float((w * j * j).sum()) + 1e-3
        both = float((w * i * j).sum())
        # Errors of the guess flatten the line by about the correlation that they leave.
        likeness = max(both / np.sqrt(var_i * var_j), _LIKE)
        slope = float(np.clip(both / var_i / likeness, 0, 0.97))
        colour = np.clip((mean_j - slope * mean_i) / (1 - slope), 0, 255)
        off = np.abs(j - slope * i).mean(axis=2)
        weights = _weights(off, np.median(off))
    return colour.astype(np.float32)


def _weights(off: np.ndarray, usual: np.ndarray | np.floating) -> np.ndarray:
    return 1 / (1 + (off / (2 * usual + 3)) ** 2) ** 2


def undo(image: np.ndarray, matte: Matte) -> tuple[np.ndarray, np.ndarray]:
    """The picture without the overlay, and where that is not to be trusted.

    Returns:
        (H, W, 3) uint8, changed inside the overlay only, and (H, W) bool.
    """
    box = bounding_box(matte.inside)
    assert box is not None  # learnt from something
    part = (
        slice(max(box.y0 - _AROUND, 0), box.y1 + _AROUND),
        slice(max(box.x0 - _AROUND, 0), box.x1 + _AROUND),
    )
    inside = matte.inside[part]
    seen = image[part][inside].astype(np.float32)
    guess = harmonic_fill(image[part], inside, _GREY)[inside]
    opacity, paint = matte.opacity[part][inside][:, None], matte.paint[part][inside]
    strength = _strength(seen, guess, opacity, paint, ~matte.doubtful[part][inside])
    behind = (seen - strength * paint) / (1 - np.minimum(strength * opacity, _OPAQUE))
    restless = np.maximum(-behind, behind - 255).max(axis=1) > _RESTLESS
    # Before a plain surface a smooth fill is all but exact, and what is left of letters shows.
    unlike = surrounding_variance(image[part], inside)[inside][:, None]
    slips = _SLIPS / (1 - np.minimum(opacity, _OPAQUE)) ** 2
    behind = (unlike * behind + slips * guess) / (unlike + slips)
    undone, doubtful = image.copy(), matte.doubtful.copy()
    undone[part][inside] = np.rint(np.clip(behind, 0, 255)).astype(np.uint8)
    doubtful[part][inside] |= restless
    return undone, doubtful


def _strength(
    seen: np.ndarray, guess: np.ndarray, opacity: np.ndarray, paint: np.ndarray, sure: np.ndarray
) -> float:
    """How strongly a frame shows the overlay: 1 usually, less in a fade, 0 where it is gone."""
    change = (paint - opacity * guess)[sure]
    stubborn = _STUBBORN * max(np.count_nonzero(sure), 1)
    asked = float(((seen - guess)[sure] * change).sum()) + stubborn
    strength = asked / (float((change**2).sum()) + stubborn)
    if strength < _GONE:
        return 0.0
    return 1.0 if abs(strength - 1) < _AS_USUAL else min(strength, 1.1)
