"""What letters in place of the box around them are worth: PSNR over the whole box.

    python bench/letters.py [CLIPS]

A word is printed on four places of the middle frame of each clip, in the colour that is farthest
from the place's; the engine `letters` finds it from the box. Both masks are filled by Telea.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from cleanplate import registry
from cleanplate.arrays.masks import grow
from cleanplate.evaluation.measures import psnr
from cleanplate.media.read import open_clip
from cleanplate.types import Box, Frame, MaskedFrame, Prompt

WORD, FONT = "RAPHA", cv2.FONT_HERSHEY_TRIPLEX | cv2.FONT_ITALIC


def middle(folder: Path) -> np.ndarray:
    source = folder / "frames" if (folder / "frames").is_dir() else next(folder.glob("video.*"))
    with open_clip(source) as clip:
        at = (clip.info.frame_count or 2) // 2
        return next(clip.pictures(at, at + 1)).rgb()


def places(image: np.ndarray) -> list[Box]:
    height, width = image.shape[:2]
    wide, tall = width // 4, height // 9
    return [
        Box(x, y, x + wide, y + tall)
        for x in (width // 6, width - width // 6 - wide)
        for y in (height // 4, height - height // 4 - tall)
    ]


def printed(image: np.ndarray, box: Box) -> tuple[np.ndarray, np.ndarray]:
    """The picture with the word in ``box``, and where it is, (H, W) bool."""
    cover = np.zeros(image.shape[:2], np.uint8)
    (wide, tall), _ = cv2.getTextSize(WORD, FONT, 1, 2)
    size = min(0.86 * box.width / wide, 0.7 * box.height / tall)
    pen = max(2, round(0.12 * size * tall))
    (wide, tall), _ = cv2.getTextSize(WORD, FONT, size, pen)
    at = (box.x0 + (box.width - wide) // 2, box.y0 + (box.height + tall) // 2)
    cv2.putText(cover, WORD, at, FONT, size, 255, pen, cv2.LINE_AA)
    cover = cv2.GaussianBlur(cover.astype(np.float32) / 255, (0, 0), 0.8)[..., None]
    light = image[box.slices].mean() < 128
    colour = np.array((225, 225, 220) if light else (30, 30, 36))
    return (image * (1 - cover) + colour * cover).astype(np.uint8), cover[..., 0] > 0.5


def filled(image: np.ndarray, mask: np.ndarray, truth: np.ndarray, box: Box) -> float:
    telea = registry.create("inpaint", "telea")
    frame = MaskedFrame(Frame(0, Fraction(0), image), mask.astype(np.uint8))
    (done,) = telea.inpaint([frame])
    return min(psnr(done.image[box.slices], truth[box.slices]), 60.0)


def main(clips: Path) -> None:
    letters = registry.create("segment", "letters")
    rows = []
    for folder in sorted(path.parent for path in clips.glob("*/clip.json")):
        truth = middle(folder)
        scores = []
        for box in places(truth):
            image, word = printed(truth, box)
            whole = np.zeros(word.shape, bool)
            whole[box.slices] = True
            found = letters.decode(letters.encode(image), Prompt(box=box)).masks[0]
            exact = grow(word.astype(np.uint8), 3) > 0
            masks = (whole, found, exact)
            missed = np.count_nonzero(word & ~found) / np.count_nonzero(word)
            scores.append(
                [
                    *(filled(image, mask, truth, box) for mask in masks),
                    found.sum() / whole.sum(),
                    missed,
                ]
            )
        rows += scores
        means = np.mean(scores, axis=0)
        print(
            f"{folder.name:22} box {means[0]:.1f} dB, letters {means[1]:.1f}, exact letters "
            f"{means[2]:.1f}; {means[3]:.0%} of the box filled, {means[4]:.1%} of the word missed",
            flush=True,
        )
    scores = np.array(rows)
    better = np.count_nonzero(scores[:, 1] > scores[:, 0])
    worse = np.count_nonzero(scores[:, 1] < scores[:, 0])
    means = scores.mean(axis=0)
    print(
        f"mean of {len(scores)}: box {means[0]:.2f} dB, letters {means[1]:.2f} "
        f"({means[1] - means[0]:+.2f}; better in {better}, worse in {worse}), "
        f"exact letters {means[2]:.2f}"
    )


if __name__ == "__main__":
    here = Path(__file__).resolve().parent.parent
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here.parent / "shared" / "clips")
