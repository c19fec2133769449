"""Stage 6: filled pictures become the output, which appears when it is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from cleanplate.jobs.stages.fill import FillFrom
from cleanplate.media.assemble import assemble
from cleanplate.media.encode import encode_piece
from cleanplate.media.images import image_path, write_images
from cleanplate.media.numbering import image_names
from cleanplate.media.survey import Span, Survey
from cleanplate.progress import Progress

if TYPE_CHECKING:
    from cleanplate.media.codecs import EncoderChoice
    from cleanplate.media.stream_plan import StreamPlan
    from cleanplate.types import VideoInfo

PIECE = 250  # frames encoded between two points from which an interrupted job goes on


def write_image(fill_from: FillFrom, folder: Path, out: Path) -> None:
    """Write the only picture of a clip to ``out``; ``folder`` is the job's own."""
    (picture,) = write_images(fill_from(0), folder)
    out.parent.mkdir(parents=True, exist_ok=True)
    picture.replace(out)


def write_folder(fill_from: FillFrom, folder: Path, out: Path, source: Path, shown: Span) -> None:
    """Write a picture for each frame to the folder ``out``, under the names that ``source`` has.

    Pictures wait in ``folder``, the job's own: those of an earlier job are not taken for them.
    """
    wanted = [image_path(folder, index) for index in range(shown.start, shown.stop)]
    done = next((n for n, path in enumerate(wanted) if not path.exists()), len(wanted))
    write_images(fill_from(shown.start + done), folder)
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("[0-9]*.png"):
        if old.stem.isdecimal():
            old.unlink()
    names = image_names(source, len(shown.shots))
    for index, path in enumerate(wanted, shown.start):
        path.replace(out / names[index])


def piece_paths(folder: Path, shown: Span) -> list[Path]:
    """Where the pieces of a clip of which ``shown`` is written lie in ``folder``, there or not."""
    total = -(-(shown.stop - shown.start) // PIECE)
    return [folder / f"{number:06d}.mkv" for number in range(total)]


def encode_pieces(
    fill_from: FillFrom,
    paths: Sequence[Path],
    shown: Span,
    numbers: range,
    info: VideoInfo,
    choice: EncoderChoice,
    written: Callable[[int], None] = lambda number: None,
) -> None:
    """Fill and encode the pieces ``numbers``, in order.

    Args:
        fill_from: gives the pictures.
        paths: of all pieces.
        shown: the frames that all pieces hold together.
        numbers: of the pieces to make, one after the other.
        info: what is in the clip.
        choice: of the encoder.
        written: called after each piece with its number.
    """
    first = shown.start + numbers.start * PIECE
    pictures = fill_from(first, min(shown.start + numbers.stop * PIECE, shown.stop))
    for number in numbers:
        encode_piece(islice(pictures, PIECE), paths[number], info, choice)
        written(number)


def write_video(
    fill_from: FillFrom,
    folder: Path,
    out: Path,
    source: Path,
    info: VideoInfo,
    choice: EncoderChoice,
    streams: StreamPlan,
    survey: Survey,
    shown: Span,
    progress: Progress,
) -> None:
    """Encode the pictures in pieces, and join these with the source's other streams.

    Args:
        fill_from: gives the pictures.
        folder: where pieces wait; those that are there need not be made again.
        out: the file.
        source: the clip.
        info: what is in it.
        choice: of the encoder.
        streams: what becomes of the source's other streams.
        survey: what the clip was found to be.
        shown: the frames to write.
        progress: told of the stage and of what could not be kept.
    """
    paths = piece_paths(folder, shown)
    lacking = [number for number, path in enumerate(paths) if not path.exists()]
    if lacking:
        encode_pieces(fill_from, paths, shown, range(lacking[0], len(paths)), info, choice)
    progress.start("write", None)
    whole = shown.start == 0 and shown.stop == survey.count
    written = assemble(
        *(source, paths, out, info, choice),
        start=None if whole else survey.time(shown.start),
        end=None if shown.stop == survey.count else survey.time(shown.stop),
        plan=streams,
    )
    progress.finish()
    for warning in written.warnings:
        progress.note(warning)
