"""What a Python user calls: ``remove``, ``segment``, ``track``, ``inpaint``, ``retarget``.

    import cleanplate
    logo = cleanplate.Prompt(box=cleanplate.Box(40, 22, 180, 96))
    cleanplate.remove("clip.mp4", "clean.mp4", logo)

Engines by themselves, on arrays and iterators, come from ``cleanplate.create(task, name)``.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from fractions import Fraction
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Unpack

from cleanplate.arrays.instances import Instance, ranked
from cleanplate.errors import InputError
from cleanplate.files.publish import check_target, write_text
from cleanplate.jobs import job
from cleanplate.jobs.order import Order, Target
from cleanplate.jobs.report import Report
from cleanplate.media.mask_writing import write_mask_image
from cleanplate.media.preview import write_preview
from cleanplate.media.read import open_clip
from cleanplate.progress import Progress
from cleanplate.prompts.frames import flattened, single_frame
from cleanplate.prompts.outliner import OUTLINE
from cleanplate.protocols import SegmentsEverything
from cleanplate.restoration import restore as restoration
from cleanplate.retargeting import job as retargeting
from cleanplate.retargeting.order import RetargetOrder
from cleanplate.retargeting.report import RetargetReport
from cleanplate.retargeting.shape import Shape
from cleanplate.runtime import check_device, make_engine
from cleanplate.settings.groups import settings_from
from cleanplate.settings.keywords import ComputeSettings, JobSettings
from cleanplate.settings.restoration import RestorationSettings
from cleanplate.settings.retarget import AUTO, REFRAME, RESIZE, RetargetSettings
from cleanplate.types import Candidates, Prompt

AnyPath = str | PathLike[str]
EVERYTHING = "sam_hq"  # outlines all things unless another engine is named


def remove(
    clip: AnyPath,
    out: AnyPath,
    *prompts: Prompt,
    masks: AnyPath | None = None,
    save_masks: AnyPath | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[JobSettings],
) -> Report:
    """Remove what the prompts point at: segment, track and inpaint.

    Args:
        clip: a video, or a folder of images.
        out: the clean clip; a folder of PNGs when it ends in ``/``.
        prompts: what to remove. Several for one object complete or correct each other.
        masks: ready masks in place of prompts: a folder of PNGs, a PNG, a video or an .npz.
        save_masks: where to keep the masks that were filled: ``.mkv``, or a folder ending in
            ``/``.
        overwrite: replace ``out`` and ``save_masks`` if they exist.
        progress: told about every stage and frame; may raise ``CancelledError`` to stop.
        engine_settings: settings of single engines, name -> field -> value.
        settings: any field of ``EngineSettings``, ``MaskSettings``, ``AttachedSettings``,
            ``SpanSettings``, ``RegionSettings`` or ``EncoderSettings``: ``static=True``,
            ``inpainter="telea"``, ``grow=4``, ``lossless=True``, ...

    Returns:
        What was done, frame by frame.

    Raises:
        InputError: prompts, masks or settings that do not fit.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    order = _order("remove", clip, out, prompts, masks, save_masks, overwrite)
    return job.run(_with(order, settings, engine_settings), progress)


def track(
    clip: AnyPath,
    out: AnyPath,
    *prompts: Prompt,
    overwrite: bool = False,
    progress: Progress | None = None,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[JobSettings],
) -> Report:
    """Follow what the prompts point at and write its masks: ``.mkv``, or a folder ending in ``/``.

    Masks are the tracker's own, not grown unless ``grow`` says so. Arguments and errors are those
    of ``remove``.
    """
    order = _order("track", clip, out, prompts, None, None, overwrite)
    return job.run(_with(order, settings, engine_settings), progress)


def inpaint(
    clip: AnyPath,
    out: AnyPath,
    masks: AnyPath,
    *,
    overwrite: bool = False,
    progress: Progress | None = None,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[JobSettings],
) -> Report:
    """Fill what ``masks`` cover. Arguments and errors are those of ``remove``."""
    order = _order("inpaint", clip, out, (), masks, None, overwrite)
    return job.run(_with(order, settings, engine_settings), progress)


def retarget(
    clip: AnyPath,
    out: AnyPath,
    *prompts: Prompt,
    aspect: str | None = None,
    size: str | None = None,
    keep: Sequence[int] = (),
    path: AnyPath | None = None,
    save_path: AnyPath | None = None,
    way: str = REFRAME,
    background: str = RESIZE,
    zoom: float = 1.0,
    captions: str = AUTO,
    overwrite: bool = False,
    progress: Progress | None = None,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[JobSettings],
) -> RetargetReport:
    """Bring a clip into another shape, following what the prompts point at.

    Args:
        clip: a video, or a folder of images.
        out: the clip in its new shape; a folder of PNGs when it ends in ``/``.
        prompts: what must stay in the picture. Without them the crop follows what moves otherwise
            than the camera, and what stands out, and keeps captions whole.
        aspect: width to height as seen, ``9:16``.
        size: of the result in px, ``1080x1920``; by default what is cut out is not scaled.
        keep: ids of objects that come before all others, in this order; by default they count in
            the order of their ids. One is kept whole before the next counts.
        path: a file of ``save_path``, corrected, to be followed in place of a path of our own.
        save_path: where to write the crop of each frame, ``.json``.
        way: ``reframe`` cuts a part out; ``recompose`` takes the objects out, brings the
            background into the new shape and puts them back.
        background: of ``recompose``: ``resize`` it to the new shape, or ``extend`` the picture by
            what other frames of the shot show beyond its sides; ``report.unseen`` tells what none
            shows and was made up.
        zoom: cut out a part this many times smaller than the largest of that shape; 1 to 8.
        captions: ``keep``, ``ignore`` or ``auto``: keep them where nothing is pointed at.
        overwrite: replace ``out`` and ``save_path`` if they exist.
        progress, engine_settings, settings: as for ``remove``.

    Returns:
        What was done: the crop of each frame, and what it left out.

    Raises:
        InputError: prompts, a path or settings that do not fit.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    order = RetargetOrder(
        *(Path(clip), Target.parse(fspath(out)), Shape.parse(aspect, size), prompts, tuple(keep)),
        path=None if path is None else Path(path),
        save_path=None if save_path is None else Path(save_path),
        settings=settings_from(settings, engine_settings),
        retarget=RetargetSettings(way, background, zoom, captions),
        overwrite=overwrite,
    )
    return retargeting.run(order, progress)


def restore(
    clip: AnyPath,
    out: AnyPath,
    *,
    masks: AnyPath | None = None,
    save_masks: AnyPath | None = None,
    find: str = RestorationSettings.find,
    least_confidence: float = RestorationSettings.least_confidence,
    flicker: bool = RestorationSettings.flicker,
    overwrite: bool = False,
    progress: Progress | None = None,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[JobSettings],
) -> Report:
    """Find the damage of old film and tape, and fill it; every other pixel stays as it is.

    Args:
        clip: a video, or a folder of images.
        out: the repaired clip; a folder of PNGs when it ends in ``/``.
        masks: what to repair, in place of what would be found: what ``detect_damage`` wrote, or
            ``save_masks``, corrected.
        save_masks: where to keep the masks that were filled: 1 is dirt, 2 scratches, 3 drop-outs.
        find, least_confidence, flicker: see ``RestorationSettings``.
        overwrite, progress, engine_settings, settings: as for ``remove``.

    Returns:
        What was done; ``damage`` lists what was found.

    Raises:
        InputError: masks or settings that do not fit.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    order = _order("restore", clip, out, (), masks, save_masks, overwrite)
    wanted = RestorationSettings(find, least_confidence, flicker)
    return restoration.restore(_with(order, settings, engine_settings), wanted, progress)


def detect_damage(
    clip: AnyPath,
    out: AnyPath,
    *,
    find: str = RestorationSettings.find,
    least_confidence: float = RestorationSettings.least_confidence,
    overwrite: bool = False,
    progress: Progress | None = None,
    **settings: Unpack[JobSettings],
) -> Report:
    """Write masks of what ``restore`` would fill: ``.mkv``, or a folder ending in ``/``.

    Look at them, erase what is no damage, and give them to ``restore`` as ``masks``. Arguments and
    errors are those of ``restore``.
    """
    order = _order("restore", clip, out, (), None, None, overwrite)
    wanted = RestorationSettings(find, least_confidence)
    return restoration.detect_only(_with(order, settings, None), wanted, progress)


def segment(
    clip: AnyPath,
    *prompts: Prompt,
    out: AnyPath | None = None,
    overwrite: bool = False,
    segmenter: str = OUTLINE,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[ComputeSettings],
) -> dict[int, Candidates]:
    """Outline what the prompts point at in one frame.

    Args:
        clip: a video, an image, or a folder of images.
        prompts: all in one frame.
        out: where to write the best masks as a palette PNG, value = object id.
        overwrite: replace ``out`` if it exists.
        segmenter: the engine.
        engine_settings, settings: as for ``remove``.

    Returns:
        For each object id the candidates, best first.

    Raises:
        InputError: no prompts, prompts in several frames, or nothing found.
        MediaError: a clip that cannot be read.
    """
    target = None if out is None else Path(out)
    if target is not None:
        if target.suffix.lower() != ".png":
            raise InputError(
                f"The mask is written as a PNG; give a name that ends in .png, not {out}."
            )
        check_target(target, overwrite, Path(clip))
    chosen = settings_from({"segmenter": segmenter, **settings}, engine_settings)
    check_device(chosen.engines)
    for name in chosen.engine_fields.keys() - {segmenter}:
        raise InputError(f"There is nothing to set of {name!r} here; {segmenter} outlines.")
    with open_clip(Path(clip)) as opened:
        frame, wanted = single_frame(opened, prompts)
        engine, _ = make_engine("segment", segmenter, chosen)
        encoded = engine.encode(frame)
        outlines = {prompt.object_id: engine.decode(encoded, prompt) for prompt in wanted}
    if target is not None:
        best = {object_id: candidates.masks[0] for object_id, candidates in outlines.items()}
        write_mask_image(target, flattened(best, frame.shape[:2]))
    return outlines


def segment_all(
    clip: AnyPath,
    *,
    at: int | Fraction = 0,
    out: AnyPath | None = None,
    preview: AnyPath | None = None,
    overwrite: bool = False,
    segmenter: str = EVERYTHING,
    engine_settings: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Unpack[ComputeSettings],
) -> list[Instance]:
    """Outline all things in one frame.

    Args:
        clip: a video, an image, or a folder of images.
        at: the frame, an index or seconds.
        out: where to write the masks: a palette PNG (the largest 255, small ones on top, value =
            rank by size from 1), or a ``.json`` in COCO's terms.
        preview: where to write the frame with the masks in colours over it, a ``.png``.
        overwrite: replace files that exist.
        segmenter: the engine.
        engine_settings, settings: as for ``remove``.

    Returns:
        The things, largest first.

    Raises:
        InputError: an engine that cannot, or a frame that is not there.
        MediaError: a clip that cannot be read.
        WeightsError: the engine's weights are not here.
    """
    for path, endings in ((out, (".png", ".json")), (preview, (".png",))):
        if path is not None:
            if Path(path).suffix.lower() not in endings:
                raise InputError(f"{path} must end in {' or '.join(endings)}.")
            check_target(Path(path), overwrite, Path(clip))
    chosen = settings_from({"segmenter": segmenter, **settings}, engine_settings)
    engine, _ = make_engine("segment", segmenter, chosen)
    if not isinstance(engine, SegmentsEverything):
        raise InputError(
            f"{segmenter} only outlines what is pointed at; choose sam_hq, sam or sam2."
        )
    with open_clip(Path(clip)) as opened:
        frame, _ = single_frame(opened, [Prompt(at=at)])
    things = sorted(engine.everything(frame), key=lambda thing: -thing.area)
    mask = ranked(things, frame.shape[:2])
    if out is not None and Path(out).suffix.lower() == ".json":
        write_text(Path(out), json.dumps([thing.record() for thing in things], indent=1))
    elif out is not None:
        write_mask_image(Path(out), mask)
    if preview is not None:
        write_preview(Path(preview), frame, mask)
    return things


def _order(
    command: str,
    clip: AnyPath,
    out: AnyPath,
    prompts: tuple[Prompt, ...],
    masks: AnyPath | None,
    save_masks: AnyPath | None,
    overwrite: bool,
) -> Order:
    return Order(
        command,
        Path(clip),
        Target.parse(fspath(out)),
        prompts,
        None if masks is None else Path(masks),
        save_masks=None if save_masks is None else Target.parse(fspath(save_masks)),
        overwrite=overwrite,
    )


def _with(
    order: Order,
    settings: Mapping[str, Any],
    engine_settings: Mapping[str, Mapping[str, Any]] | None,
) -> Order:
    return dataclasses.replace(order, settings=settings_from(settings, engine_settings))
