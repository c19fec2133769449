"""How a job's output is written: encoder, other streams, and the writing itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from cleanplate.errors import InputError
from cleanplate.jobs.order import Target
from cleanplate.jobs.report import Report
from cleanplate.jobs.stages.fill import FillFrom
from cleanplate.jobs.stages.write import write_folder, write_image, write_video
from cleanplate.jobs.work_folder import WorkFolder
from cleanplate.media.codecs import EncoderChoice, choose_encoder
from cleanplate.media.stream_plan import StreamPlan, plan_streams
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress
from cleanplate.settings.encoder import EncoderSettings
from cleanplate.types import VideoInfo


@dataclass(frozen=True, slots=True, eq=False)
class PlannedOutput:
    """How a file is encoded, found before the first frame is decoded."""

    choice: EncoderChoice
    streams: StreamPlan
    """What becomes of the clip's other streams."""


def plan_output(
    source: Path,
    out: Target,
    info: VideoInfo,
    settings: EncoderSettings,
    report: Report,
    progress: Progress,
) -> PlannedOutput | None:
    """How ``out`` is encoded; None where pictures are written. What is lost is told.

    Args:
        source: the clip.
        out: where the output goes.
        info: of the pictures that are written.
        settings: of the encoder.
        report: gets what was chosen.
        progress: told what differs from the source.

    Raises:
        InputError: the output cannot hold such pictures.
    """
    if out.as_image and info.frame_count != 1:
        raise InputError(
            f"{out.path} is a single picture and the clip is not; give "
            f"{out.path}/ for a folder of pictures, or a .mp4 or .mkv."
        )
    if out.as_folder or out.as_image:
        return None
    choice = choose_encoder(info, out.path, settings)
    report.encoding = asdict(choice)
    for note in choice.notes:
        progress.note(note)
    streams = plan_streams(source, info, out.path, choice, settings.sound)
    report.streams = [asdict(planned) for planned in streams.streams]
    for note in streams.notes:
        (progress.warn if note in streams.losses else progress.note)(note)
    return PlannedOutput(choice, streams)


def write_output(
    pictures_from: FillFrom,
    source: Path,
    out: Target,
    planned: PlannedOutput | None,
    info: VideoInfo,
    survey: Survey,
    shown: Span,
    work: WorkFolder,
    progress: Progress,
) -> None:
    """Write the pictures of the frames ``shown``; what an earlier run wrote is not made again.

    Args:
        pictures_from: gives the pictures from a frame on.
        source: the clip.
        out: where the output goes.
        planned: what ``plan_output`` returned.
        info: of the pictures that are written.
        survey: what the clip was found to be.
        shown: the frames to write.
        work: the job's folder.
        progress: told of the stage and of what could not be kept.
    """
    if out.as_image:
        write_image(pictures_from, work.folder("pieces"), out.path)
    elif planned is None:
        write_folder(pictures_from, work.folder("pictures"), out.path, source, shown)
    else:
        write_video(
            *(pictures_from, work.folder("pieces"), out.path, source, info),
            *(planned.choice, planned.streams, survey, shown, progress),
        )
