"""Better outlines: GrabCut in a band around a mask, and the guided filter that enlarges one."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate.types import Box

COLOURS = 5  # of a side, as OpenCV's GrabCut has them
SAMPLE = 4000
HOLE = 0.2  # of the area around it: a larger hole is meant


def disc(radius: float) -> np.ndarray:
    """A round kernel for cv2.dilate and cv2.erode."""
    size = 2 * max(1, round(radius)) + 1
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))


def box_of(mask: np.ndarray, room: float = 0) -> Box | None:
    """The box of the pixels of ``mask`` with ``room`` px around, in the picture; None if empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    height, width = mask.shape
    pad = int(np.ceil(room))
    return Box(
        max(0, int(columns[0]) - pad),
        max(0, int(rows[0]) - pad),
        min(width, int(columns[-1]) + 1 + pad),
        min(height, int(rows[-1]) + 1 + pad),
    )


def cut_band(
    image: np.ndarray, mask: np.ndarray, width: float, fixed: np.ndarray, rounds: int = 1
) -> np.ndarray:
    """``mask`` with its outline moved to the colours' own border, at most ``width`` px away.

    GrabCut (Rother et al., 2004) with all but the band held.

    Args:
        image: (H, W, 3) uint8.
        mask: (H, W) bool.
        width: half width of the band in px.
        fixed: (H, W) float32: 1 and 0 are held, NaN is free.
        rounds: of GrabCut.
    """
    box = box_of(mask, 3 * width + 4)
    if box is None:
        return mask
    here = mask[box.slices].astype(np.uint8)
    held = fixed[box.slices]
    grown, shrunk = cv2.dilate(here, disc(width)), cv2.erode(here, disc(width))
    trimap = np.where(here > 0, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[(shrunk > 0) | (held == 1)] = cv2.GC_FGD
    trimap[(grown == 0) | (held == 0)] = cv2.GC_BGD
    result = mask.copy()
    result[box.slices] = run(image[box.slices], trimap, rounds)
    return result


def run(image: np.ndarray, trimap: np.ndarray, rounds: int) -> np.ndarray:
    """(H, W) bool from ``trimap`` ((H, W) uint8 of cv2.GC_*); as it is where one side is empty."""
    ours = (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)
    # Five colours a side are the least that GrabCut's mixtures can be made of.
    if min(ours.sum(), (~ours).sum()) < COLOURS:
        return ours
    trimap = trimap.copy()
    image = np.ascontiguousarray(image)
    theirs, of_object = _mixture(image[~ours]), _mixture(image[ours])
    cv2.grabCut(image, trimap, None, theirs, of_object, rounds, cv2.GC_EVAL)  # type: ignore[arg-type]
    return (trimap == cv2.GC_FGD) | (trimap == cv2.GC_PR_FGD)


def _mixture(colours: np.ndarray) -> np.ndarray:
    """A first mixture of ``colours`` ((n, 3) uint8, n >= 5) in OpenCV's form, (1, 65) float64.

    OpenCV's own first guess clusters every pixel, half of GrabCut's time; a sample says as much.
    """
    sample = colours[:: max(1, len(colours) // SAMPLE)].astype(np.float32)
    cv2.setRNGSeed(0)
    criteria = (cv2.TERM_CRITERIA_MAX_ITER + cv2.TERM_CRITERIA_EPS, 10, 0.1)
    _, labels, _ = cv2.kmeans(sample, COLOURS, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    weights, means = np.zeros(COLOURS), np.zeros((COLOURS, 3))
    spreads = np.tile(np.eye(3), (COLOURS, 1, 1))
    for number in range(COLOURS):
        part = sample[labels[:, 0] == number]
        weights[number], means[number] = len(part) / len(sample), part.mean(axis=0)
        if len(part) > 1:
            spreads[number] = np.cov(part.T, bias=True) + 0.01 * np.eye(3)
    return np.concatenate([weights, means.ravel(), spreads.ravel()])[None]


def fill_holes(mask: np.ndarray, held: np.ndarray) -> np.ndarray:
    """``mask`` ((H, W) bool) without its small holes, save those that ``held`` has at 0.

    Who takes away a car means its windows too.
    """
    _, parts, facts, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    x, y, width, height, area = facts.T
    inner = (x > 0) & (y > 0) & (x + width < mask.shape[1]) & (y + height < mask.shape[0])
    hole = inner & (area <= HOLE * mask.sum())
    hole[0] = False  # the mask itself
    hole[np.unique(parts[held == 0])] = False
    return mask | hole[parts]


def guide(
    image: np.ndarray, values: np.ndarray, radius: int, softness: float = 1e-4
) -> tuple[np.ndarray, np.ndarray]:
    """How ``values`` ((H, W) float32 0..1) depend on the colours of ``image`` around each pixel.

    The guided filter of He, Sun and Tang, 2013: near each pixel ``values`` are
    ``slope . colour + offset`` with colours of 0..1. ``softness`` is the variance below which a
    patch counts as flat.

    Returns:
        slope (H, W, 3) and offset (H, W), float32.
    """
    colours = image.astype(np.float32) / 255
    window = (2 * radius + 1, 2 * radius + 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, window, borderType=cv2.BORDER_REFLECT)

    mean_colour, mean_value = mean(colours), mean(values)
    covariance = mean(colours * values[..., None]) - mean_colour * mean_value[..., None]
    products = {
        (i, j): mean(colours[..., i] * colours[..., j]) - mean_colour[..., i] * mean_colour[..., j]
        for i in range(3)
        for j in range(i, 3)
    }
    rr, gg, bb = (products[i, i] + softness for i in range(3))
    rg, rb, gb = products[0, 1], products[0, 2], products[1, 2]
    # The inverse of the symmetric 3x3 matrix by cofactors, a pixel at a time.
    inv_rr, inv_rg, inv_rb = gg * bb - gb * gb, rb * gb - rg * bb, rg * gb - gg * rb
    inv_gg, inv_gb, inv_bb = rr * bb - rb * rb, rg * rb - rr * gb, rr * gg - rg * rg
    determinant = rr * inv_rr + rg * inv_rg + rb * inv_rb
    r, g, b = (covariance[..., i] for i in range(3))
    slope = np.stack(
        [
            inv_rr * r + inv_rg * g + inv_rb * b,
            inv_rg * r + inv_gg * g + inv_gb * b,
            inv_rb * r + inv_gb * g + inv_bb * b,
        ],
        axis=2,
    )
    slope /= determinant[..., None]
    offset = mean_value - np.einsum("hwc,hwc->hw", slope, mean_colour)
    return mean(slope), mean(offset)
