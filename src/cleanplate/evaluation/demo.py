"""The demo: the sample clip, its sign removed, and how near the fill comes to the truth."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cleanplate import api
from cleanplate.evaluation.sample import first_box, sample_frames, write_sample
from cleanplate.files.publish import publishing
from cleanplate.media.mask_track import read_mask_track
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.types import Prompt

_SHOWN = (8, 37, 66)  # frames in the picture


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demo made and measured."""

    clip: Path
    clean: Path
    picture: Path
    psnr: float
    """Of the fill against the true background, in dB, over all masked pixels."""
    telea_psnr: float
    """The same for Telea's fill of each frame alone, under the same masks."""

    def text(self) -> str:
        return (
            f"The sample       {self.clip}\n"
            f"The clean plate  {self.clean}\n"
            f"Before and after {self.picture}\n"
            f"Fill against the true background: {self.psnr:.2f} dB PSNR "
            f"(frame-by-frame Telea: {self.telea_psnr:.2f} dB)"
        )


def run_demo(folder: Path, progress: Progress) -> Shown:
    """Make the sample in ``folder``, remove its sign, and measure.

    Raises:
        MissingDependencyError: scikit-image, which ships the sample's photo, is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clip, clean, telea = (folder / name for name in ("sample.mp4", "clean.mp4", "telea.mp4"))
    masks, picture = folder / "masks.mkv", folder / "before-after.png"
    if not clip.exists():
        write_sample(clip)
    prompt = Prompt(box=first_box())
    api.remove(clip, clean, prompt, save_masks=masks, overwrite=True, progress=progress)
    api.inpaint(clip, telea, masks, inpainter="telea", overwrite=True, progress=progress)
    write_picture(picture, clip, clean)
    return Shown(clip, clean, picture, _psnr(clean, masks), _psnr(telea, masks))


def _psnr(clean: Path, masks: Path) -> float:
    """PSNR inside the masks, in dB, against the sample's truth."""
    total, count = 0.0, 0
    with open_clip(clean) as opened:
        for frame, mask, picture in zip(
            sample_frames(), read_mask_track(masks), opened.pictures(), strict=True
        ):
            inside = mask > 0
            error = picture.rgb()[inside].astype(np.float64) - frame.truth[inside]
            total, count = total + float((error**2).sum()), count + error.size
    return float(10 * np.log10(255**2 * count / total))


def write_picture(path: Path, before: Path, after: Path) -> None:
    """Write a picture of a few frames, before above after."""
    rows = []
    for source in (before, after):
        with open_clip(source) as opened:
            shown = [p.rgb() for p in opened.pictures() if p.index in _SHOWN]
        rows.append(_row(shown))
    with publishing(path) as draft:
        cv2.imwrite(str(draft), cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))


def _row(images: Iterable[np.ndarray]) -> np.ndarray:
    small = [cv2.resize(i, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA) for i in images]
    framed = [
        cv2.copyMakeBorder(i, 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=(255,) * 3) for i in small
    ]
    return np.concatenate(framed, axis=1)
