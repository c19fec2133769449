"""A job: a clip and prompts or masks in, masks or a clean clip out; resumable at every stage.

survey ──▶ segment ──▶ track ──▶ masks ──▶ inpaint ──▶ write
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate import registry
from cleanplate.errors import InputError
from cleanplate.jobs import prompting, tracking
from cleanplate.jobs.measure import Measured, measured
from cleanplate.jobs.progress import Progress
from cleanplate.jobs.report import Report, Timed, versions
from cleanplate.jobs.runtime import check_device, resolve
from cleanplate.jobs.settings import EngineSettings, MaskSettings, SpanSettings
from cleanplate.jobs.work import WorkFolder, checksum, identity
from cleanplate.media.assemble import assemble
from cleanplate.media.images import write_images
from cleanplate.media.mask_files import (
    Masks,
    constant_masks,
    mapped,
    open_masks,
    write_mask_folder,
    write_mask_image,
)
from cleanplate.media.mask_track import read_mask_track, write_mask_track
from cleanplate.media.read import Clip, frame_numbers, open_clip
from cleanplate.media.survey import Survey, load_survey, save_survey, survey
from cleanplate.media.write import EncoderSettings, choose_encoder, encode_piece
from cleanplate.ops.masks import components, grow
from cleanplate.ops.moments import parse_moment
from cleanplate.ops.regions import RegionSettings, plan
from cleanplate.ops.streams import prefetch
from cleanplate.pipeline import fill, first_needed
from cleanplate.types import Prompt

PIECE = 250  # frames encoded between two points from which an interrupted job goes on


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a job can be told, in groups."""

    engines: EngineSettings = field(default_factory=EngineSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    span: SpanSettings = field(default_factory=SpanSettings)
    regions: RegionSettings = field(default_factory=RegionSettings)
    encoder: EncoderSettings = field(default_factory=EncoderSettings)
    engine_fields: dict[str, dict[str, str]] = field(default_factory=dict)
    """Settings of single engines: name -> field -> text."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is to be done to which clip."""

    command: str
    """``remove``, ``track`` or ``inpaint``."""
    source: Path
    out: Path
    prompts: tuple[Prompt, ...] = ()
    masks: Path | None = None
    settings: Settings = field(default_factory=Settings)
    save_masks: Path | None = None
    overwrite: bool = False
    as_folder: bool = False
    """Write a folder of PNGs."""


def run(order: Order, progress: Progress | None = None) -> Report:
    """Do the job, or go on with it where an earlier run of the same order stopped.

    Raises:
        InputError: prompts, masks or settings that do not fit the clip.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    _check(order)
    with open_clip(order.source) as clip:
        return _Job(order, clip, progress or Progress()).run()


def _check(order: Order) -> None:
    check_device(order.settings.engines)
    if order.out.resolve() == order.source.resolve():
        raise InputError(f"{order.out} is the source itself; give another name for the output.")
    for out in filter(None, (order.out, order.save_masks)):
        if out.exists() and not order.overwrite and not _is_resumed_folder(order, out):
            raise InputError(f"{out} exists; add --overwrite to replace it, or give another name.")
    if order.masks is None and not order.prompts:
        raise InputError(
            "Nothing says what to remove; point at it with --box X0,Y0,X1,Y1 or --point X,Y, or "
            "give --masks PATH."
        )
    if order.masks is not None and order.prompts:
        raise InputError("Both prompts and --masks were given; give one of them.")


def _is_resumed_folder(order: Order, out: Path) -> bool:
    return out == order.out and order.as_folder and WorkFolder.location(order.out).is_dir()


def engine(task: Any, name: str, settings: Settings) -> Any:
    """Construct an engine as ``settings`` say."""
    found = registry.find(task, name)
    fields = settings.engine_fields.get(name, {})
    return registry.create(task, name, fields, resolve(found, settings.engines))


class _Job:
    """One run of an order. The stages are the methods, in the order of ``run``."""

    def __init__(self, order: Order, clip: Clip, progress: Progress) -> None:
        settings = order.settings
        self.order, self.clip, self.settings = order, clip, settings
        self.report = Report(order.command, str(order.source), str(order.out), asdict(settings))
        self.progress = Timed(progress, self.report)
        # What cannot work is said before the first frame is decoded.
        self.inpainter = None
        if order.command != "track":
            self.inpainter = engine("inpaint", settings.engines.inpainter, settings)
            if not order.as_folder:
                self.choice = choose_encoder(clip.info, order.out, settings.encoder)
                self.report.encoding = str(self.choice)
        self.tracker = None
        if order.masks is None:
            self.tracker = engine("track", settings.engines.tracker_name, settings)
        self.work = WorkFolder.open(order.out, self._identity())
        self.report.resumed = self.work.resumed

    def _identity(self) -> dict[str, Any]:
        order = self.order
        return {
            "command": order.command,
            "source": identity(order.source),
            "masks": None if order.masks is None else identity(order.masks),
            "prompts": [_plain_prompt(prompt) for prompt in order.prompts],
            "settings": asdict(order.settings),
            "versions": versions(),
        }

    def run(self) -> Report:
        order = self.order
        if self.work.resumed:
            self.progress.note(f"Going on from what an earlier run left for {order.out.name}.")
        found = self._survey()
        span = self._span(found)
        masks, exact = self._masks(found, span)
        grown_by = self.settings.masks.grown_by(self.clip.info.height, exact)
        masks = mapped(masks, partial(grow, pixels=grown_by))
        size = measured(masks, found.count, self.work.path / "boxes.npz", self.progress)
        self._save_masks(masks, found, span)
        if self.inpainter is not None:
            self._inpaint(masks, size, found, span, grown_by)
        self._conclude(found, span)
        return self.report

    # --- survey ---

    def _survey(self) -> Survey:
        path = self.work.path / "survey.npz"
        if path.exists():
            found = load_survey(path)
        else:
            self.progress.start("survey", self.clip.info.frame_count)
            found = survey(self.clip, self.progress.advance)
            self.progress.finish()
            save_survey(path, found)
        for warning in found.warnings:
            self.progress.note(warning)
        return found

    def _span(self, found: Survey) -> tracking.Span:
        start, end = self.settings.span.start, self.settings.span.end
        first = 0 if start is None else prompting.frame_of(parse_moment(start), found)
        stop = found.count if end is None else _end_of(end, found)
        if first >= stop:
            raise InputError(
                f"The part from frame {first} to frame {stop} is empty; --end must lie after "
                "--start."
            )
        return tracking.Span(first, stop, found.shots)

    # --- pass 1 ---

    def _masks(self, found: Survey, span: tracking.Span) -> tuple[Masks, bool]:
        """The masks before growth, and whether they are the user's own."""
        info = self.clip.info
        if self.order.masks is not None:
            numbers = frame_numbers(self.order.source) or range(found.count)
            return open_masks(self.order.masks, numbers, info.width, info.height), True
        wanted = prompting.combined(self.order.prompts, found)
        segmenter = self.settings.engines.segmenter
        create = partial(engine, "segment", settings=self.settings)
        self.progress.start("segment", None)
        keys = prompting.key_masks(self.clip, wanted, segmenter, create)
        self.progress.finish()
        if self._is_still(wanted):
            exact = prompting.is_exact(self.order.prompts, segmenter)
            return constant_masks(_flattened(keys), found.count, "the prompts"), exact
        return self._tracked(keys, found, span), False

    def _is_still(self, wanted: dict[int, list[Prompt]]) -> bool:
        """Whether one mask serves the whole clip: nothing moves, no object is prompted twice."""
        ids = [prompt.object_id for prompts in wanted.values() for prompt in prompts]
        return self.settings.engines.tracker_name == "fixed" and len(set(ids)) == len(ids)

    def _tracked(self, keys: dict[int, np.ndarray], found: Survey, span: tracking.Span) -> Masks:
        folder, path = self.work.folder("track"), self.work.path / "masks.mkv"
        tracking.track(self.clip, keys, span, self.tracker, folder, self.progress)
        empty = np.zeros((self.clip.info.height, self.clip.info.width), np.uint8)
        self.report.frames = [
            tracking.reported(index, found.time(index), tracked)
            for index, tracked in enumerate(tracking.merged(span, folder), span.start)
        ]

        def all_masks() -> Iterator[np.ndarray]:
            yield from (empty for _ in range(span.start))
            yield from (tracked.mask for tracked in tracking.merged(span, folder))
            yield from (empty for _ in range(span.stop, found.count))

        if not path.exists():
            times = map(found.time, range(found.count))
            write_mask_track(path, zip(times, all_masks(), strict=True), _rate(self.clip))
        return Masks("the tracked masks", partial(read_mask_track, path))

    def _save_masks(self, masks: Masks, found: Survey, span: tracking.Span) -> None:
        order = self.order
        wanted = [(order.save_masks, str(order.save_masks).endswith("/"))]
        if order.command == "track":
            wanted.append((order.out, order.as_folder))
        for path, as_folder in wanted:
            if path is None:
                continue
            part = islice(masks.read(span.start), span.stop - span.start)
            if as_folder:
                write_mask_folder(path, part)
            elif path.suffix == ".png" and masks.constant is not None:
                write_mask_image(path, masks.constant)
            else:
                times = map(found.time, range(span.start, span.stop))
                write_mask_track(path, zip(times, part, strict=True), _rate(self.clip))

    # --- pass 2 ---

    def _inpaint(
        self, masks: Masks, size: Measured, found: Survey, span: tracking.Span, grown_by: int
    ) -> None:
        inpainter, info, settings = self.inpainter, self.clip.info, self.settings
        assert inpainter is not None  # the caller asked
        if masks.constant is not None:
            parts = components(masks.constant, 2 * settings.regions.least_context)
            masks = constant_masks(parts, found.count, masks.origin)
            size = Measured.of_constant(parts, found.count)
        regions = plan(
            size.within(span.start, span.stop),
            found.shots,
            info.width,
            info.height,
            settings.regions,
            inpainter.lookback,
            inpainter.lookahead,
        )
        self.report.regions = [
            {"first": r.start, "stop": r.stop, "width": r.width, "height": r.height}
            for r in regions
        ]
        if not regions:
            self.progress.note("No frame has a mask: the output shows the source unchanged.")
        feather = settings.masks.feathered_by(grown_by)
        stop = max([span.stop, *(region.stop for region in regions)])

        def filled(start: int) -> Iterator[Any]:
            first = first_needed(regions, start, inpainter.lookback)
            source = zip(self.clip.pictures(first, stop), masks.read(first), strict=False)
            done, total = start - span.start, span.stop - span.start
            line = fill(
                prefetch(source), found.shots, regions, inpainter, feather, start, span.stop
            )
            return prefetch(self.progress.over("inpaint", line, total, done))

        if self.order.as_folder:
            write_images(filled, self.order.out, span.start, span.stop)
        else:
            self._encode(filled, found, span)

    def _encode(
        self, filled: Callable[[int], Iterator[Any]], found: Survey, span: tracking.Span
    ) -> None:
        folder = self.work.folder("pieces")
        total = -(-(span.stop - span.start) // PIECE)
        paths = [folder / f"{number:06d}.mkv" for number in range(total)]
        done = next((n for n, path in enumerate(paths) if not path.exists()), total)
        if done < total:
            pictures = filled(span.start + done * PIECE)
            for path in paths[done:]:
                encode_piece(islice(pictures, PIECE), path, self.clip.info, self.choice)
        self.progress.start("write", None)
        whole = span.start == 0 and span.stop == found.count
        written = assemble(
            self.order.source,
            paths,
            self.order.out,
            self.clip.info,
            self.choice,
            start=None if whole else found.time(span.start),
            end=None if whole or span.stop == found.count else found.time(span.stop),
        )
        self.progress.finish()
        for warning in written.warnings:
            self.progress.note(warning)

    def _conclude(self, found: Survey, span: tracking.Span) -> None:
        report, order = self.report, self.order
        report.frame_count, report.first_frame = span.stop - span.start, span.start
        report.shot_cuts = [int(cut) for cut in found.cuts]
        for task, one in (("track", self.tracker), ("inpaint", self.inpainter)):
            if one is not None:
                report.engines[task] = {
                    "name": one.about.name,
                    "settings": asdict(one.settings),
                    "runtime": asdict(one.runtime),
                }
        report.checksums = {"source": checksum(order.source), "output": checksum(order.out)}
        self.work.remove()


def _plain_prompt(prompt: Prompt) -> dict[str, Any]:
    plain = asdict(prompt)
    if prompt.mask is not None:
        plain["mask"] = [prompt.mask.shape, np.packbits(prompt.mask).tobytes().hex()]
    return plain


def _end_of(text: str, found: Survey) -> int:
    moment = parse_moment(text)
    if isinstance(moment, int):
        return prompting.frame_of(moment - 1, found) + 1
    wanted = found.time(0) + moment
    return next((i for i in range(found.count) if found.time(i) >= wanted), found.count)


def _flattened(keys: dict[int, np.ndarray]) -> np.ndarray:
    masks = list(keys.values())
    whole = masks[0].copy()
    for mask in masks[1:]:
        whole = np.where(mask > 0, mask, whole)
    return whole


def _rate(clip: Clip) -> Any:
    return clip.info.average_rate or 25
