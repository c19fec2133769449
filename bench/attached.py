"""Shadows and reflections of composed clips, and what is proposed on clips that show none.

    python bench/attached.py shadows CLIPS         undone against filled, PSNR and detail kept
    python bench/attached.py reflections CLIPS     found, and what else was taken
    python bench/attached.py false CLIPS           share of the picture proposed, by clip and kind

A figure walks over the empty ground of real clips with a fixed camera, or over a drawn one, with a
shadow or a mirror image of known place. `--frames DIR` writes pictures to look at.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from unittest import mock

import cv2
import numpy as np

import cleanplate
from cleanplate.arrays.masks import grow
from cleanplate.attached import find as search
from cleanplate.media.mask_files import mapped, open_masks, placed
from cleanplate.media.numbering import frame_numbers
from cleanplate.media.read import open_clip
from cleanplate.media.survey import Span, survey
from cleanplate.progress import Progress
from cleanplate.settings.groups import REFLECTION, SHADOW

COUNT, SIDE = 20, 480
GROUNDS = {"asphalt": ("cars-overhead-long", 0), "room": ("bedroom", 0), "drawn": ("", 0)}
MASKED = ("blackswan", "dogs-jump", "tennis")
OPEN = (*MASKED, "bedroom", "bottles-long", "cars-overhead-long", "cat-vfr", "crossing-portrait")
TRACKED = 40  # frames of a clip that has no masks
SHADOWS = {"hard": (0.5, 0.7), "soft": (0.5, 4.0), "very soft": (0.65, 9.0)}


@dataclass(frozen=True)
class Composed:
    """A clip with a figure, and its truth."""

    images: list[np.ndarray]
    ground: list[np.ndarray]
    masks: list[np.ndarray]
    attached: list[np.ndarray]
    """(H, W) bool: where the shadow or mirror image is seen."""


def ground_of(name: str, clips: Path) -> list[np.ndarray]:
    """COUNT pictures without a moving thing, no side longer than SIDE, each with its own noise."""
    folder, first = GROUNDS[name]
    if not folder:
        random = np.random.default_rng(0)
        drawn = np.full((270, SIDE, 3), 128, np.float32)
        for sigma, strength in ((1, 25), (3, 50), (20, 400)):
            drawn += cv2.GaussianBlur(random.normal(0, strength, drawn.shape), (0, 0), sigma)
        noises = (random.normal(0, 2.5, drawn.shape) for _ in range(COUNT))
        return [np.clip(drawn + noise, 0, 255).astype(np.uint8) for noise in noises]
    (video,) = (clips / folder).glob("video.*")
    with open_clip(video) as clip:
        shown = [picture.rgb() for picture in clip.pictures(first, first + COUNT)]
    scale = SIDE / shown[0].shape[1]
    images = [cv2.resize(i, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for i in shown]
    if folder != "bedroom":
        return images
    # Children jump in it: the middle of all frames stays, and each frame's own noise is laid on.
    still = np.median(np.stack(images), axis=0)
    random = np.random.default_rng(1)
    return [
        np.clip(still + random.normal(0, 2, still.shape), 0, 255).astype(np.uint8) for _ in images
    ]


def figure(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """(h, w, 3) float32 and (h, w) uint8: dressed in stripes, so that it is no plain patch."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2, height // 5), (width // 4, height // 5), 0, 0, 360, 1, -1)
    cv2.rectangle(mask, (width // 6, height // 3), (5 * width // 6, height - 1), 1, -1)
    image = np.zeros((height, width, 3), np.float32)
    image[:] = (190, 60, 50)
    image[height // 2 :] = (40, 60, 140)
    image[: height // 3] = (220, 180, 150)
    image[height // 2 :: 8] += 60
    return image, mask


def composed(ground: list[np.ndarray], kind: str, strength: float, soft: float) -> Composed:
    """``kind`` is shadow, floor or glass; ``strength`` the factor of light, or how much a mirror
    shows; ``soft`` px of blur."""
    height, width = ground[0].shape[:2]
    tall, broad = height // 3, height // 6
    drawn, shape = figure(broad, tall)
    result = Composed([], ground, [], [])
    for index, still in enumerate(ground):
        x = round(width * 0.1 + (width * 0.6) * index / COUNT)
        y = round(height * (0.6 if kind == "shadow" else 0.5)) - tall
        image, mask = still.astype(np.float32), np.zeros((height, width), np.uint8)
        mask[y : y + tall, x : x + broad] = shape
        cover = np.zeros((height, width), np.float32)
        if kind == "shadow":
            foot = (x + broad // 2, y + tall)
            spread = (round(tall * 0.55), round(tall * 0.16))
            cv2.ellipse(cover, (foot[0] + spread[0] - 10, foot[1]), spread, 0, 0, 360, 1.0, -1)
            cover = cv2.GaussianBlur(cover, (0, 0), soft) * (1 - strength)
            tint = np.array([1.06, 1.0, 0.92], np.float32)  # a shadow is lit by the sky
            image *= 1 - cover[..., None] * tint
        elif kind in ("floor", "glass"):
            mirror, place = drawn, shape
            mirror, place = (mirror[::-1], place[::-1]) if kind == "floor" else (
                mirror[:, ::-1], place[:, ::-1])  # fmt: skip
            if kind == "floor":
                top, left = y + tall, x
            else:
                top, left = y, x + round(1.4 * broad)
            high, wide = min(tall, height - top), min(broad, width - left)
            cover[top : top + high, left : left + wide] = place[:high, :wide] * strength
            there = np.zeros_like(image)
            there[top : top + high, left : left + wide] = mirror[:high, :wide]
            cover, there = (cv2.GaussianBlur(p, (0, 0), max(soft, 0.5)) for p in (cover, there))
            image = image * (1 - cover[..., None]) + there * cover[..., None]
        part = image[y : y + tall, x : x + broad]
        part[shape > 0] = drawn[shape > 0]
        result.images.append(np.clip(np.rint(image), 0, 255).astype(np.uint8))
        result.masks.append(mask)
        result.attached.append((cover > 0.04) & (grow(mask, 6) == 0))
    return result


def removed(scene: Composed, also: str, undo: bool = True):
    """The report, the clean pictures, and what else than the figure was taken, (H, W) bool."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "frames").mkdir()
        for index, image in enumerate(scene.images):
            cv2.imwrite(str(folder / "frames" / f"{index:05d}.png"), image[..., ::-1])
        np.savez(folder / "masks.npz", np.stack(scene.masks))
        with mock.patch.object(search, "_UNDONE", search._UNDONE if undo else 2.0):
            report = cleanplate.remove(
                *(folder / "frames", f"{folder}/out/"),
                **{"masks": folder / "masks.npz", "grow": 4, "also": also},
                save_masks=f"{folder}/gone/",
                engine_settings={"flowfill": {"quality": "fast"}},
            )
        with open_clip(folder / "out") as clip:
            pictures = [picture.rgb() for picture in clip.pictures()]
        gone = [cv2.imread(str(p), 0) > 0 for p in sorted((folder / "gone").glob("*.png"))]
        own = [grow(mask, 4) > 0 for mask in scene.masks]
        return report, pictures, [g & ~o for g, o in zip(gone, own, strict=True)]


def detail(image: np.ndarray) -> np.ndarray:
    grey = image.astype(np.float32).mean(axis=2)
    return grey - cv2.GaussianBlur(grey, (0, 0), 2)


def measured(scene: Composed, results: list[np.ndarray]) -> tuple[float, float, float]:
    """PSNR where the shadow was, correlation of its detail with the truth's, PSNR at its rim."""
    squares, rims, pairs = [], [], []
    for result, truth, place in zip(results, scene.ground, scene.attached, strict=True):
        square = ((result.astype(np.float32) - truth) ** 2).mean(axis=2)
        rim = (grow(place.astype(np.uint8), 5) > 0) & (
            cv2.erode(place.astype(np.uint8), np.ones((11, 11), np.uint8)) == 0
        )
        squares.append(square[place])
        rims.append(square[rim])
        pairs.append(np.stack([detail(result)[place], detail(truth)[place]]))
    psnr, edge = (10 * np.log10(255**2 / np.concatenate(s).mean()) for s in (squares, rims))
    return float(psnr), float(np.corrcoef(np.concatenate(pairs, axis=1))[0, 1]), float(edge)


def shadows(clips: Path, grounds: list[str], names: list[str], frames: Path | None) -> None:
    print("ground     shadow      left     filled: dB detail rim     undone: dB detail rim   share")
    for ground in grounds:
        still = ground_of(ground, clips)
        for name, (strength, soft) in {n: SHADOWS[n] for n in names}.items():
            scene = composed(still, "shadow", strength, soft)
            left = measured(scene, scene.images)
            _, filled, _ = removed(scene, "shadow", undo=False)
            report, undone, _ = removed(scene, "shadow")
            one, two = measured(scene, filled), measured(scene, undone)
            share = report.attached[0]["undone"] if report.attached[0]["taken"] else "not found"
            print(
                f"{ground:10} {name:10} {left[0]:6.2f}    {one[0]:6.2f} {one[1]:5.2f} "
                f"{one[2]:6.2f}           {two[0]:6.2f} {two[1]:5.2f} {two[2]:6.2f}    {share}",
                flush=True,
            )
            if frames is not None:
                keep(frames / f"{ground}-{name}.png", scene, filled, undone)


MIRRORS = {
    "sharp floor": ("floor", 0.3, 0.7),
    "weak floor": ("floor", 0.15, 2.0),
    "blurred floor": ("floor", 0.4, 4.0),
    "glass": ("glass", 0.25, 0.7),
    "none": ("floor", 0.0, 1.0),
    "shadow alone": ("shadow", 0.5, 2.0),
}


def reflections(clips: Path, grounds: list[str], frames: Path | None) -> None:
    print("ground     mirror          proposed  confidence  recall  other px  dB left, removed")
    for ground in grounds:
        still = ground_of(ground, clips)
        for name, (kind, strength, soft) in MIRRORS.items():
            scene = composed(still, kind, strength, soft)
            report, results, taken = removed(scene, "reflection")
            (told,) = report.attached
            places = (
                [np.zeros_like(p) for p in scene.attached] if kind == "shadow" else scene.attached
            )
            hit = sum(np.count_nonzero(t & p) for t, p in zip(taken, places, strict=True))
            true = sum(np.count_nonzero(place) for place in places)
            other = np.mean(
                [(t & (grow(p.astype(np.uint8), 8) == 0)).mean()
                 for t, p in zip(taken, places, strict=True)]
            )  # fmt: skip
            psnr = ""
            if kind != "shadow" and true:
                left, gone = (measured(scene, shown)[0] for shown in (scene.images, results))
                psnr = f"{left:.2f}, {gone:.2f}"
            print(
                f"{ground:10} {name:15} {told['taken']!s:9} {told['confidence']:10.2f}"
                f" {hit / max(true, 1):7.2f}  {other:8.3%}  {psnr}",
                flush=True,
            )
            if frames is not None:
                keep(frames / f"{ground}-{name}.png", scene, results, results)


@contextmanager
def proposed(folder: Path) -> Iterator[search.Attached]:
    """Both kinds, for the objects of an open clip: its masks, or tracked from its first prompt."""
    source = folder / "frames" if (folder / "frames").is_dir() else next(folder.glob("video.*"))
    with tempfile.TemporaryDirectory() as kept, open_clip(source) as clip:
        looked = survey(clip)
        span, masks = Span(0, looked.count, looked.shots), folder / "masks"
        numbers = frame_numbers(source, looked.count)
        size = (clip.info.width, clip.info.height)
        if masks.is_dir():
            known = open_masks(masks, numbers, *size)
        else:
            said = json.loads((folder / "prompt.json").read_text())
            first = said["frame"]
            span = Span(first, min(first + TRACKED, looked.count), looked.shots)
            prompt = cleanplate.Prompt((cleanplate.Point(*said["point"]),),
                                       cleanplate.Box(*said["box"]), at=first)  # fmt: skip
            part = {"start": f"@{span.start}", "end": f"@{span.stop}", "tracker": "flowtrack"}
            track = Path(kept) / "track.mkv"
            cleanplate.track(source, track, prompt, **part)
            empty = np.zeros(size[::-1], np.uint8)
            tracked = open_masks(track, range(span.stop - span.start), *size)
            known = placed(tracked, span.start, looked.count, empty)
        masks = mapped(known, partial(grow, pixels=max(4, round(size[1] / 100))))
        (Path(kept) / "found").mkdir()
        kinds = (SHADOW, REFLECTION)
        yield search.find(masks, clip, looked, span, kinds, Path(kept) / "found", Progress())


def false_area(clips: Path, wanted: list[str], frames: Path | None) -> None:
    """What is proposed on open clips beyond the objects."""
    print("clip                kind        object  confidence  taken  share of the picture")
    for name in wanted:
        with proposed(clips / name) as found:
            first, stop = found.span.start, found.span.stop
            for proposal in found.proposals:
                masks = list(islice(found.masks([proposal], first), stop - first))
                print(
                    f"{name:19} {proposal.kind:11} {proposal.object_id:6}  "
                    f"{proposal.confidence:10.2f}  {proposal.taken!s:5}  "
                    f"{np.mean([np.mean(mask > 0) for mask in masks]):.3%}",
                    flush=True,
                )
                if frames is not None:
                    path = frames / f"{name}-{proposal.kind}-{proposal.object_id}.png"
                    show(path, clips / name, first, masks)


def show(path: Path, folder: Path, first: int, masks: list[np.ndarray]) -> None:
    """Three frames with what was proposed in them."""
    source = folder / "frames" if (folder / "frames").is_dir() else next(folder.glob("video.*"))
    wanted = [first + len(masks) * quarter // 4 for quarter in (1, 2, 3)]
    rows = []
    with open_clip(source) as clip:
        for picture in clip.pictures(first, first + len(masks)):
            if picture.index in wanted:
                image, marked = picture.rgb(), picture.rgb().copy()
                marked[masks[picture.index - first] > 0] = (255, 0, 255)
                rows.append(np.hstack([image, marked]))
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def keep(path: Path, scene: Composed, *results: list[np.ndarray]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shown = [scene.images, *results, scene.ground]
    rows = [np.hstack([pictures[i] for pictures in shown[:2]]) for i in (COUNT // 2,)]
    rows += [np.hstack([pictures[i] for pictures in shown[2:4]]) for i in (COUNT // 2,)]
    cv2.imwrite(str(path), np.vstack(rows)[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("shadows", "reflections", "false"))
    parser.add_argument("clips", type=Path)
    parser.add_argument("--shadow", action="append", choices=tuple(SHADOWS))
    parser.add_argument("--ground", action="append", choices=tuple(GROUNDS))
    parser.add_argument("--clip", action="append", choices=OPEN)
    parser.add_argument("--frames", type=Path)
    chosen = parser.parse_args()
    grounds = chosen.ground or list(GROUNDS)
    if chosen.what == "reflections":
        reflections(chosen.clips, grounds, chosen.frames)
    elif chosen.what == "false":
        false_area(chosen.clips, chosen.clip or list(OPEN), chosen.frames)
    else:
        shadows(chosen.clips, grounds, chosen.shadow or list(SHADOWS), chosen.frames)


if __name__ == "__main__":
    main()
