"""Outlines what a user points at, from colours and edges alone; no weights.

The picture is looked at in about 400 px: patches of one colour, a random walk over them from the
clicks at several scales, GrabCut in a band around each result. The outline is then drawn to the
edges of the picture at its own size.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from cleanplate.arrays.prompts import check_image, check_prompt, clip_box
from cleanplate.engines.segment.grabcut import clicks, outline
from cleanplate.engines.segment.grabcut.choice import confidence, distinct
from cleanplate.engines.segment.grabcut.encoding import Encoded, encode
from cleanplate.engines.segment.grabcut.views import View
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.settings import check, setting
from cleanplate.types import Box, Candidates, Prompt

ROOM = 4.0  # of the box's size on each side, as a sample of the background
LEAST = 0.05  # of the box's area: less is a cut that has collapsed
SLIGHT = 0.03  # of the square root of the area: how far a given mask is mended


@dataclass(frozen=True, slots=True)
class GrabcutSettings:
    """How finely the picture is divided."""

    size: int = setting(
        400, "Long side at which outlines are searched for.", low=64, high=1600, unit="px"
    )
    patches: int = setting(1200, "How many patches the picture is cut into.", low=100, high=3000)
    exact_mask: bool = setting(False, "Take a given mask as it is, without moving it to the edges.")

    def __post_init__(self) -> None:
        check(self)


class Engine:
    """Patches, a random walk and GrabCut."""

    about = About(
        "segment",
        "grabcut",
        "Outlines what a click, a box or a stroke points at, by colours and edges.",
        order=10,
        choices=(
            Choice(
                "By colour and edges",
                "For what stands out from its background. A box alone is kept as drawn.",
            ),
        ),
    )
    Settings = GrabcutSettings

    def __init__(self, settings: GrabcutSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def encode(self, image: np.ndarray) -> Encoded:
        """Cut ``image`` ((H, W, 3) uint8 RGB) into patches and prepare the walk over them."""
        check_image(image)
        return encode(image, self.settings.size, self.settings.patches)

    def decode(self, encoded: Encoded, prompt: Prompt) -> Candidates:
        """Outlines of what ``prompt`` points at, best first.

        Raises:
            InputError: the prompt is empty, points outside the picture, or says only what is not
                meant.
        """
        size = encoded.image.shape[:2]
        check_prompt(prompt, size)
        box = clip_box(prompt.box, size) if prompt.box is not None else None
        rough = prompt.mask.astype(bool) if prompt.mask is not None else None
        if rough is not None and self.settings.exact_mask:
            return Candidates(rough[None], np.ones(1, np.float32))
        held, events = encoded.view.hold(prompt, box), encoded.view.events(prompt)
        masks, doubts = [], []
        if rough is not None and rough.any():
            masks = [_from_mask(encoded, rough, events, held)]
        elif (held == 1).any():
            guesses = clicks.guesses(encoded, events, held)
            with ThreadPoolExecutor() as pool:
                masks = list(pool.map(partial(_enlarged, encoded), guesses))
            doubts = [guess.doubt for guess in guesses]
        elif box is None:
            raise InputError("The prompt says only what the object is not; add a point on it.")
        if box is not None:
            masks += _from_box(encoded, prompt, box, self.settings.size)
        return _rank(encoded, masks, doubts)


def _enlarged(encoded: Encoded, guess: clicks.Guess) -> np.ndarray:
    return encoded.view.enlarge(guess.mask, encoded.image)


def _from_mask(
    encoded: Encoded, rough: np.ndarray, events: list[np.ndarray], held: np.ndarray
) -> np.ndarray:
    """A mask that is about right: clicks mend it, and its outline moves a little."""
    view = encoded.view
    small = view.reduce(rough)
    if not small.any():  # too small for the view: nothing to be mended there
        return rough
    if events:
        small = clicks.correct(encoded, small, events, held)
    else:
        width = float(np.clip(SLIGHT * np.sqrt(small.sum()), 1, 6))
        small = outline.cut_band(view.image, small, width, held, rounds=3)
    return view.enlarge(small, encoded.image)


def _from_box(encoded: Encoded, prompt: Prompt, box: Box, side: int) -> list[np.ndarray]:
    """GrabCut in a box and a wide surround: a tight crop has no background to learn from."""
    view = View.of(encoded.image, _surround(box, encoded.image.shape[:2]), side)
    held = view.hold(prompt, box)
    trimap = np.full(held.shape, cv2.GC_PR_FGD, np.uint8)
    trimap[held == 1], trimap[held == 0] = cv2.GC_FGD, cv2.GC_BGD
    mask = outline.fill_holes(outline.run(view.image, trimap, 3), view.hold(prompt, None))
    is_pointed = bool((held == 1).any())
    if is_pointed:  # the thing in the box that was pointed at, and nothing beside it
        mask = clicks.with_clicks(mask, held)
    outlined = view.enlarge(mask, encoded.image)
    box_mask = np.zeros_like(outlined)
    box_mask[box.slices] = True
    outlined &= box_mask
    if is_pointed:
        return [outlined]
    return [outlined, box_mask] if outlined.sum() >= LEAST * box_mask.sum() else [box_mask]


def _surround(box: Box, size: tuple[int, int]) -> Box:
    right, down = round(ROOM * box.width), round(ROOM * box.height)
    return clip_box(Box(box.x0 - right, box.y0 - down, box.x1 + right, box.y1 + down), size)


def _rank(encoded: Encoded, masks: list[np.ndarray], doubts: list[float]) -> Candidates:
    """The masks by confidence, less the doubt of the first ones."""

    def scored(mask: np.ndarray) -> float:
        return confidence(encoded.lab, encoded.steepness, encoded.view.reduce(mask))

    with ThreadPoolExecutor() as pool:
        scores = list(pool.map(scored, masks))
    for number, doubt in enumerate(doubts):
        scores[number] = max(0.0, scores[number] - doubt)
    order = distinct(masks, scores)
    return Candidates(
        np.stack([masks[i] for i in order]), np.array([scores[i] for i in order], np.float32)
    )
