"""What an order says of a clip, as the order of a job on this machine."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from cleanplate.batch import storage
from cleanplate.batch.orders import ClipOrder
from cleanplate.jobs.order import Order, Target
from cleanplate.media.mask_files import Masks, constant_masks
from cleanplate.media.numbering import index_of, span_by_index, typed_numbers
from cleanplate.media.read import open_clip
from cleanplate.media.survey import load_survey, save_survey, survey
from cleanplate.progress import Progress
from cleanplate.projects.project import Project
from cleanplate.prompts.typed import Word, parse
from cleanplate.settings.groups import Settings
from cleanplate.suggestions.overlays import look
from cleanplate.types import BACKGROUND, MAX_OBJECT_ID


def job_order(
    order: ClipOrder,
    source: Path,
    out: Path,
    fetched: Callable[[str], Path],
    kept: str,
    progress: Progress,
) -> Order | None:
    """The order of a job on this machine; None where ``suggest`` proposes nothing.

    Args:
        order: as it was read.
        source: the clip, or the project's folder, here.
        out: the output, here.
        fetched: gives the local path of another file that the order names.
        kept: address at which what was suggested is kept, for other workers.
        progress: told of the search.
    """
    settings, target = order.settings, Target(out)
    if order.is_project:
        return Project.open(source).removal(out, progress=progress)
    if order.suggest:
        return _suggested(source, target, settings, kept, progress)
    numbers = typed_numbers(source)
    if numbers is not None:
        span = span_by_index(numbers, settings.span.start, settings.span.end)
        span = dataclasses.replace(settings.span, start=span[0], end=span[1])
        settings = dataclasses.replace(settings, span=span)
    words = [_here(word, fetched) for word in order.words]
    prompts = tuple(parse(words, lambda n: n if numbers is None else index_of(n, numbers)))
    masks = None if order.masks is None else fetched(order.masks)
    return Order("remove", source, target, prompts, masks, settings)


def _here(word: Word, fetched: Callable[[str], Path]) -> Word:
    if word.flag != "--mask":
        return word
    address, sign, moment = word.value.rpartition("@")
    if not sign:
        address, moment = word.value, ""
    return dataclasses.replace(word, value=f"{fetched(address)}{sign}{moment}")


def _suggested(
    source: Path, target: Target, settings: Settings, kept: str, progress: Progress
) -> Order | None:
    folder = target.path.with_name("suggested")
    folder.mkdir(exist_ok=True)
    files = folder / "masks.npz", folder / "survey.npz"
    addresses = [storage.joined(kept, file.name) for file in files]
    if all(map(storage.exists, addresses)):
        for address, file in zip(addresses, files, strict=True):
            storage.fetch(address, file)
    else:
        _look(source, *files, progress)
        for address, file in zip(addresses, files, strict=True):
            storage.publish(file, address)
    with np.load(files[0], allow_pickle=False) as archive:
        masks, spans = archive["masks"], archive["spans"]
    if not len(masks):
        return None
    survey = load_survey(files[1])
    growth = settings.masks.grown_by(masks.shape[1], exact=False, is_print=True)
    grown = dataclasses.replace(settings.masks, grow=growth)
    return Order(
        *("inpaint", source, target),
        masks=_masks(masks, spans, survey.count),
        settings=dataclasses.replace(settings, masks=grown),
        survey=survey,
    )


def _look(source: Path, masks_file: Path, survey_file: Path, progress: Progress) -> None:
    with open_clip(source) as clip:
        progress.start("survey", clip.info.frame_count)
        surveyed = survey(clip, progress.advance)
        progress.finish()
    save_survey(survey_file, surveyed)
    overlays = look(source, progress, surveyed).overlays[:MAX_OBJECT_ID]
    with masks_file.open("wb") as file:
        np.savez_compressed(
            file,
            masks=np.array([overlay.mask for overlay in overlays], bool),
            spans=np.array([(o.start, o.stop) for o in overlays], np.int64).reshape(-1, 2),
        )


def _masks(masks: np.ndarray, spans: np.ndarray, count: int) -> Masks:
    """The masks of ``count`` frames from ``masks`` ((n, H, W) bool), each shown in its span."""
    origin = "what was suggested"
    key = hashlib.sha256(masks.tobytes() + spans.tobytes()).hexdigest()
    edges = sorted({0, count, *(edge for edge in spans.ravel().tolist() if 0 < edge < count)})
    stretches = [
        (stop, _together(masks, spans, start)) for start, stop in itertools.pairwise(edges)
    ]
    if len(stretches) == 1:
        return dataclasses.replace(constant_masks(stretches[0][1], count, origin), key=key)

    def read(start: int) -> Iterator[np.ndarray]:
        for stop, mask in stretches:
            yield from itertools.repeat(mask, max(0, stop - start))
            start = max(start, stop)

    return Masks(origin, read, key=key)


def _together(masks: np.ndarray, spans: np.ndarray, frame: int) -> np.ndarray:
    """(H, W) uint8: all that is shown in ``frame``, each by its number."""
    together = np.full(masks.shape[1:], BACKGROUND, np.uint8)
    for number, (start, stop) in enumerate(spans, 1):
        if start <= frame < stop:
            together[masks[number - 1]] = number
    return together
