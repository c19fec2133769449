"""A job: a clip and prompts or masks in, masks or a clean clip out; resumable at every stage.

survey ──▶ segment ──▶ track ──▶ masks ──▶ inpaint ──▶ write
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from cleanplate import registry
from cleanplate.arrays.masks import components, grow
from cleanplate.arrays.moments import parse_moment
from cleanplate.arrays.regions import Margins, Region, plan
from cleanplate.arrays.streams import prefetch
from cleanplate.errors import InputError
from cleanplate.files.publish import check_target
from cleanplate.jobs import lettering, prompting, tracking
from cleanplate.jobs.measure import Measured, measured
from cleanplate.jobs.progress import Progress
from cleanplate.jobs.report import Report, Timed, versions
from cleanplate.jobs.runtime import check_device, resolve
from cleanplate.jobs.settings import (
    LETTERS,
    WHOLE_BOX,
    EngineSettings,
    MaskSettings,
    RegionSettings,
    SpanSettings,
)
from cleanplate.jobs.study import studied
from cleanplate.jobs.work import WorkFolder, checksum, identity
from cleanplate.media.assemble import assemble
from cleanplate.media.codecs import choose_encoder
from cleanplate.media.encode import encode_piece
from cleanplate.media.encoder_settings import EncoderSettings
from cleanplate.media.images import image_path, write_images
from cleanplate.media.mask_files import (
    Masks,
    constant_masks,
    count_masks,
    frame_numbers,
    mapped,
    open_masks,
    placed,
    write_mask_folder,
    write_mask_image,
)
from cleanplate.media.mask_track import read_mask_track, write_mask_track
from cleanplate.media.read import Clip, open_clip
from cleanplate.media.survey import Survey, cut_at, load_survey, save_survey, survey
from cleanplate.pipeline import fill, first_needed
from cleanplate.protocols import Runtime, Task
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


def settings_from(
    values: Mapping[str, Any], engine_settings: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Sort single values into the groups that they belong to.

    Raises:
        InputError: a name that no group has, or a value out of its range.
    """
    left = dict(values)
    groups: dict[str, Any] = {}
    for group in fields(Settings):
        if is_dataclass(group.default_factory):
            names = {f.name for f in fields(group.default_factory)} & left.keys()
            chosen = {name: left.pop(name) for name in names}
            groups[group.name] = group.default_factory(**chosen)  # type: ignore[operator]
    if left:
        raise InputError(f"There is no setting {', '.join(sorted(left))}; see docs/cli.md for all.")
    texts = {
        name: {key: str(value) for key, value in chosen.items()}
        for name, chosen in (engine_settings or {}).items()
    }
    return Settings(**groups, engine_fields=texts)


@dataclass(frozen=True, slots=True)
class Target:
    """Where an output goes."""

    path: Path
    as_folder: bool = False
    """Whether it is a folder of PNGs."""

    @classmethod
    def parse(cls, text: str) -> Target:
        """A path as typed: one that ends in ``/`` is a folder."""
        return cls(Path(text), text.endswith("/"))

    @property
    def as_image(self) -> bool:
        """Whether it is a single picture."""
        return not self.as_folder and self.path.suffix.lower() == ".png"

    @property
    def name(self) -> str:
        return self.path.name


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """What is to be done to which clip."""

    command: str
    """``remove``, ``track`` or ``inpaint``."""
    source: Path
    out: Target
    prompts: tuple[Prompt, ...] = ()
    masks: Path | Masks | None = None
    """One for each frame of the clip or of the span: a file, or made as they are read."""
    settings: Settings = field(default_factory=Settings)
    save_masks: Target | None = None
    overwrite: bool = False
    part: tuple[int, int] | None = None
    """Write only these frames, the first and one past the last, filled as in the whole clip."""
    survey: Survey | None = None
    """What the clip was found to be, where that is known."""
    known: tuple[int, int] | None = None
    """Outside of these frames, the first and one past the last, masks are empty because nobody
    looked: nothing is carried from there, for it may show what is to be removed."""


def run(order: Order, progress: Progress | None = None) -> Report:
    """Do the job, or go on with it where an earlier run of the same order stopped.

    Raises:
        InputError: prompts, masks or settings that do not fit the clip.
        MediaError: a clip that cannot be read or an output that cannot be written.
    """
    _check(order)
    with open_clip(order.source) as clip:
        job = _Job(order, clip, progress or Progress())
        with WorkFolder.opened(order.out.path, job.identity) as work:
            try:
                return job.run(work)
            except InputError:
                work.empty()  # something else must be typed: nothing here serves that
                raise


def _check(order: Order) -> None:
    check_device(order.settings.engines)
    if order.save_masks is not None and order.save_masks.path.resolve() == order.out.path.resolve():
        raise InputError(f"{order.out.path} cannot be both the output and its masks; name two.")
    still = order.settings.engines.tracker_name == "fixed" or order.masks is not None
    for masks in filter(None, (order.save_masks, order.out if order.command == "track" else None)):
        fitting = (".mkv", ".png") if still else (".mkv",)
        if not masks.as_folder and masks.path.suffix.lower() not in fitting:
            raise InputError(
                f"{masks.path} is no mask track; give a name that ends in .mkv, or {masks.path}/ "
                "for a folder of PNGs."
            )
    _check_engine_fields(order.settings)
    engines = order.settings.engines
    if order.settings.masks.overlay == LETTERS and engines.tracker_name != "fixed":
        raise InputError(
            "--overlay letters is for what does not move; add --static, or outline letters that "
            "move with --segmenter letters."
        )
    if order.masks is None and not order.prompts:
        raise InputError(
            "Nothing says what to remove; point at it with --box X0,Y0,X1,Y1 or --point X,Y, or "
            "give --masks PATH."
        )
    if order.masks is not None and order.prompts:
        raise InputError("Both prompts and --masks were given; give one of them.")


def _check_free(order: Order, begun: bool) -> None:
    """Raise when an output would be written over something; ``begun``: over this job's own."""
    read = [order.source, *([order.masks] if isinstance(order.masks, Path) else [])]
    for out in filter(None, (order.out, order.save_masks)):
        if not out.as_folder:
            check_target(out.path, order.overwrite or begun, *read)
        elif not out.path.is_dir() or out.path.resolve() in [one.resolve() for one in read]:
            check_target(out.path, False, *read)
        elif any(out.path.iterdir()) and not (order.overwrite or begun):
            raise InputError(
                f"{out.path} exists; add --overwrite to replace it, or give another name."
            )


def _check_engine_fields(settings: Settings) -> None:
    known = {name for task in registry.TASKS for name in registry.names(task)}
    for name in settings.engine_fields:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise InputError(f"There is no engine {name!r} to set; there are: {listed}.")


def engine(task: Task, name: str, settings: Settings) -> tuple[Any, Runtime]:
    """Construct an engine as ``settings`` say, and tell where it computes."""
    runtime = resolve(registry.find(task, name), settings.engines)
    return registry.create(task, name, settings.engine_fields.get(name, {}), runtime), runtime


class _Job:
    """One run of an order. The stages are the methods, in the order of ``run``."""

    def __init__(self, order: Order, clip: Clip, progress: Progress) -> None:
        settings = order.settings
        self.order, self.clip, self.settings = order, clip, settings
        self.report = Report(
            order.command, str(order.source), str(order.out.path), asdict(settings)
        )
        self.progress = Timed(progress, self.report)
        # What cannot work is said before the first frame is decoded.
        self.inpainter = None
        if order.command != "track":
            self.inpainter = self._engine("inpaint", settings.engines.inpainter)
            if order.out.as_image and clip.info.frame_count != 1:
                raise InputError(
                    f"{order.out.path} is a single picture and the clip is not; give "
                    f"{order.out.path}/ for a folder of pictures, or a .mp4 or .mkv."
                )
            if not (order.out.as_folder or order.out.as_image):
                self.choice = choose_encoder(clip.info, order.out.path, settings.encoder)
                self.report.encoding = asdict(self.choice)
                for note in self.choice.notes:
                    self.progress.note(note)
        self.tracker = None
        if order.masks is None:
            self.tracker = self._engine("track", settings.engines.tracker_name)
        self.known = order.known
        self.identity = self._identity()
        _check_free(order, WorkFolder.is_begun(order.out.path, self.identity))

    def _engine(self, task: Task, name: str) -> Any:
        made, runtime = engine(task, name, self.settings)
        self.report.engines[task] = {
            "name": name,
            "settings": asdict(made.settings),
            "runtime": asdict(runtime),
        }
        if not made.about.commercial:
            self.progress.note(
                f"The weights of {name} may not be used commercially ({made.about.licence}); "
                "flowfill has no such limit."
                if task == "inpaint"
                else f"The weights of {name} may not be used commercially ({made.about.licence})."
            )
        return made

    def _identity(self) -> dict[str, Any]:
        order = self.order
        part = {} if order.part is None else {"part": order.part}
        return part | {
            "command": order.command,
            "source": identity(order.source),
            "masks": identity(order.masks) if isinstance(order.masks, Path) else _key(order.masks),
            "prompts": [_plain_prompt(prompt) for prompt in order.prompts],
            "settings": asdict(order.settings),
            "versions": versions(),
        }

    def run(self, work: WorkFolder) -> Report:
        order, self.work = self.order, work
        self.report.resumed = work.resumed
        if work.resumed:
            self.progress.note(f"Going on from what an earlier run left for {order.out.name}.")
        found = self._survey()
        span = self._span(found)
        masks, exact = self._masks(found, span)
        as_found = exact or order.command == "track"
        segmenter = self.settings.engines.segmenter
        grown_by = self.settings.masks.grown_by(self.clip.info.height, as_found, segmenter)
        masks = mapped(masks, partial(grow, pixels=grown_by))
        shown = span
        if order.part is not None:
            shown = replace(span, start=order.part[0], stop=order.part[1])
            masks = self._near(masks, found, shown)
        size = measured(masks, found.count, self.work.path / "boxes.npz", self.progress)
        self._save_masks(masks, found, shown)
        if self.inpainter is not None:
            apart = found if self.known is None else cut_at(found, *self.known)
            self._inpaint(masks, size, apart, span, shown, grown_by)
        self._conclude(found, shown)
        return self.report

    # --- survey ---

    def _survey(self) -> Survey:
        path = self.work.path / "survey.npz"
        if self.order.survey is not None:
            found = self.order.survey
        elif path.exists():
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
        if isinstance(self.order.masks, Masks):
            return self.order.masks, True
        if self.order.masks is not None:
            return self._given_masks(self.order.masks, found, span), True
        wanted = prompting.combined(self.order.prompts, found)
        segmenter = self.settings.engines.segmenter
        create = partial(self._engine, "segment")
        self.progress.start("segment", None)
        keys = prompting.key_masks(self.clip, wanted, segmenter, create)
        still = self._is_still(wanted)
        mask = self._lettered(_overlaid(keys.values()), span) if still else None
        self.progress.finish()
        if mask is not None:
            exact = prompting.is_exact(self.order.prompts, segmenter)
            self.report.frames = tracking.reported_still(span, found, mask)
            return constant_masks(mask, found.count, "the prompts"), exact
        return self._tracked(keys, found, span), False

    def _given_masks(self, path: Path, found: Survey, span: tracking.Span) -> Masks:
        """The user's masks: one for each frame of the clip, or of the part worked on."""
        width, height = self.clip.info.width, self.clip.info.height
        numbers = frame_numbers(self.order.source, found.count)
        length = span.stop - span.start
        if length == found.count or not path.exists() or count_masks(path) != length:
            return open_masks(path, numbers, width, height)
        self.progress.note(
            f"{path} holds {length} masks: they are taken for the frames {span.start} to "
            f"{span.stop - 1} that --start and --end leave."
        )
        empty = np.zeros((height, width), np.uint8)
        self.known = (span.start, span.stop)
        return placed(
            open_masks(path, range(length), width, height), span.start, found.count, empty
        )

    def _near(self, masks: Masks, found: Survey, shown: tracking.Span) -> Masks:
        """``masks`` in the shots of ``shown``; others cannot matter there, and are not read."""
        if masks.constant is not None:
            return masks
        first = int(np.searchsorted(found.shots, found.shots[shown.start]))
        stop = int(np.searchsorted(found.shots, found.shots[shown.stop - 1], "right"))
        near = Masks(
            masks.origin, lambda start: islice(masks.read(first + start), stop - first - start)
        )
        empty = np.zeros((self.clip.info.height, self.clip.info.width), np.uint8)
        return placed(near, first, found.count, empty)

    def _is_still(self, wanted: dict[int, list[Prompt]]) -> bool:
        """Whether one mask serves the whole clip: nothing moves, no object is prompted twice."""
        ids = [prompt.object_id for prompts in wanted.values() for prompt in prompts]
        return self.settings.engines.tracker_name == "fixed" and len(set(ids)) == len(ids)

    def _lettered(self, mask: np.ndarray, span: tracking.Span) -> np.ndarray:
        """``mask`` with letters in place of boxes, as far as the settings say so."""
        engines, how = self.settings.engines, self.settings.masks.overlay
        if how == WHOLE_BOX:
            return mask
        boxes = prompting.lone_boxes(self.order.prompts, engines.segmenter, mask.shape)
        mask, verdicts = lettering.lettered(self.clip, mask, boxes, span, how)
        for verdict in verdicts:
            self.progress.note(verdict.sentence)
        self.report.overlays = [asdict(verdict) for verdict in verdicts]
        return mask

    def _tracked(self, keys: dict[int, np.ndarray], found: Survey, span: tracking.Span) -> Masks:
        folder, path = self.work.folder("track"), self.work.path / "masks.mkv"
        self.known = (span.start, span.stop)
        assert self.tracker is not None  # there are prompts
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
            times, rate = map(found.time, range(found.count)), self.clip.info.average_rate
            write_mask_track(path, zip(times, all_masks(), strict=True), rate)
        return Masks("the tracked masks", partial(read_mask_track, path))

    def _save_masks(self, masks: Masks, found: Survey, span: tracking.Span) -> None:
        order = self.order
        targets = [order.save_masks, order.out if order.command == "track" else None]
        for target in filter(None, targets):
            part = islice(masks.read(span.start), span.stop - span.start)
            if target.as_folder:
                numbers = frame_numbers(order.source, found.count)[span.start : span.stop]
                write_mask_folder(target.path, part, numbers if span.start == 0 else None)
            elif target.path.suffix == ".png" and masks.constant is not None:
                write_mask_image(target.path, masks.constant)
            else:
                times = map(found.time, range(span.start, span.stop))
                rate = self.clip.info.average_rate
                write_mask_track(target.path, zip(times, part, strict=True), rate)

    # --- pass 2 ---

    def _inpaint(
        self,
        masks: Masks,
        size: Measured,
        found: Survey,
        span: tracking.Span,
        shown: tracking.Span,
        grown_by: int,
    ) -> None:
        """Fill the frames ``shown``, planned as all of ``span`` would be."""
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
            Margins(settings.regions.context, settings.regions.least_context),
            inpainter.lookback,
            inpainter.lookahead,
        )
        self._note_plans(regions)
        self.report.regions = [
            {"first": r.start, "stop": r.stop, "width": r.width, "height": r.height}
            for r in regions
        ]
        if not regions:
            self.progress.note("No frame has a mask: the output shows the source unchanged.")
        if masks.constant is not None:
            inpainter = studied(inpainter, self.clip, masks.constant, regions, span)
        feather = settings.masks.feathered_by(grown_by)
        stop = max([shown.stop, *(region.stop for region in regions)])

        def filled(start: int) -> Iterator[Any]:
            first = first_needed(regions, start, inpainter.lookback)
            source = zip(self.clip.pictures(first, stop), masks.read(first), strict=False)
            done, total = start - shown.start, shown.stop - shown.start
            line = fill(
                prefetch(source), found.shots, regions, inpainter, feather, start, shown.stop
            )
            return prefetch(self.progress.over("inpaint", self._shown(line), total, done))

        if self.order.out.as_image:
            (picture,) = write_images(filled(0), self.work.folder("pieces"))
            self.order.out.path.parent.mkdir(parents=True, exist_ok=True)
            picture.replace(self.order.out.path)
        elif self.order.out.as_folder:
            self._write_folder(filled, shown)
        else:
            self._encode(filled, found, shown)

    def _shown(self, pictures: Iterator[Any]) -> Iterator[Any]:
        for picture in pictures:
            self.progress.at(picture.index)
            self.progress.show(picture)
            yield picture

    def _note_plans(self, regions: Sequence[Region]) -> None:
        """Say how an engine that must divide its work will do it; raises where it cannot."""
        plan_of = getattr(self.inpainter, "plan", None)
        if plan_of is not None:
            sizes = dict.fromkeys((region.width, region.height) for region in regions)
            for sentence in dict.fromkeys(str(plan_of(*size)) for size in sizes):
                self.progress.note(f"{self.settings.engines.inpainter}: {sentence}.")

    def _write_folder(self, filled: Callable[[int], Iterator[Any]], span: tracking.Span) -> None:
        """Pictures wait in the work folder: those of an earlier job are not taken for them."""
        ready, out = self.work.folder("pictures"), self.order.out.path
        wanted = [image_path(ready, index) for index in range(span.start, span.stop)]
        done = next((n for n, path in enumerate(wanted) if not path.exists()), len(wanted))
        write_images(filled(span.start + done), ready)
        out.mkdir(parents=True, exist_ok=True)
        for old in out.glob("[0-9]*.png"):
            if old.stem.isdecimal():
                old.unlink()
        for path in wanted:
            path.replace(out / path.name)

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
            self.order.out.path,
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
        if order.part is None:  # a trial is wanted in seconds, and a source may be large
            ends = {"source": order.source, "output": order.out.path}
            report.checksums = {name: checksum(path) for name, path in ends.items()}
        self.work.empty()


def _key(masks: Masks | None) -> str | None:
    return None if masks is None else masks.key


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


def _overlaid(masks: Iterable[np.ndarray]) -> np.ndarray:
    first, *others = masks
    for mask in others:
        first = np.where(mask > 0, mask, first)
    return first
