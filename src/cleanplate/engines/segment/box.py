"""The box itself is the mask: logos, signs, captions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cleanplate.arrays.prompts import check_image, check_prompt, clip_box
from cleanplate.errors import InputError
from cleanplate.protocols import About, Choice, Runtime
from cleanplate.types import Candidates, Prompt


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """There is nothing to set."""


class Engine:
    """Takes the box, or the mask, as the user gave it."""

    about = About(
        "segment",
        "box",
        "The box itself is the mask: for logos, signs, captions.",
        order=60,
        choices=(
            Choice(
                "The box itself",
                "No outline: all that is inside the box.",
            ),
        ),
    )
    Settings = BoxSettings

    def __init__(self, settings: BoxSettings, runtime: Runtime) -> None:
        self.settings, self.runtime = settings, runtime

    def encode(self, image: np.ndarray) -> tuple[int, int]:
        """Keep the (height, width) of ``image``; nothing else of it matters."""
        check_image(image)
        return image.shape[0], image.shape[1]

    def decode(self, encoded: tuple[int, int], prompt: Prompt) -> Candidates:
        """The pixels of the prompt's box, clipped to the picture, and of its mask if it has one.

        Raises:
            InputError: a prompt with neither box nor mask, or a box outside the picture.
        """
        check_prompt(prompt, encoded)
        if prompt.box is None and prompt.mask is None:
            raise InputError(
                "The segmenter box was given no box; give one, or choose grabcut for clicks."
            )
        mask = np.zeros(encoded, bool)
        if prompt.mask is not None:
            mask |= prompt.mask.astype(bool)
        if prompt.box is not None:
            mask[clip_box(prompt.box, encoded).slices] = True
        return Candidates(mask[None], np.ones(1, np.float32))
