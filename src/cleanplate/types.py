"""The things that travel through cleanplate: frames, masks, prompts. Frozen dataclasses.

Pixels are RGB, uint8, (H, W, 3). Coordinates are (x, y) in pixels of the upright picture, origin
top left; the ends of a box are exclusive. Times are exact fractions of a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction
from typing import TYPE_CHECKING

from cleanplate.errors import InputError

if TYPE_CHECKING:
    import numpy as np

BACKGROUND = 0  # the value of a mask where nothing is to be removed
MAX_OBJECT_ID = 255
FOUND_FROM = 128  # ids from here on are for what an engine finds by itself; users' begin at 1


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a clip, or a region of it."""

    index: int
    """Position in presentation order, from 0."""
    time: Fraction
    """Presentation time in seconds, exact."""
    image: np.ndarray
    """(H, W, 3) uint8 RGB, read-only."""
    shot: int = 0
    """Number of the shot, from 0. Two frames of different shots share no background."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskedFrame:
    """A frame with what is to be filled in it."""

    frame: Frame
    mask: np.ndarray
    """(H, W) uint8 of the image's size, value = object id, 0 = background. Fill where not 0."""
    origin: tuple[int, int] = (0, 0)
    """(x, y) of the image's top left pixel in the whole picture: a region may follow its mask."""


@dataclass(frozen=True, slots=True)
class Point:
    """A click. ``positive`` False means: not this."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle [x0, x1) x [y0, y1) in pixels."""

    x0: int
    y0: int
    x1: int
    y1: int

    def __post_init__(self) -> None:
        if self.x1 <= self.x0 or self.y1 <= self.y0:
            raise InputError(
                f"Box {self.x0},{self.y0},{self.x1},{self.y1} is empty; give X0,Y0,X1,Y1 with "
                "X1 > X0 and Y1 > Y0."
            )

    @property
    def width(self) -> int:
        """In px."""
        return self.x1 - self.x0

    @property
    def height(self) -> int:
        """In px."""
        return self.y1 - self.y0

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index an (H, W, ...) array with this."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)


@dataclass(frozen=True, slots=True)
class Brush:
    """A stroke: the discs of ``radius`` px along the polyline ``points``."""

    points: tuple[tuple[float, float], ...]
    radius: float
    positive: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """All that a user points with at one object in one frame."""

    points: tuple[Point, ...] = ()
    box: Box | None = None
    brushes: tuple[Brush, ...] = ()
    mask: np.ndarray | None = None
    """(H, W) bool: a rough or an exact outline, by the engine's setting."""
    object_id: int = 1
    at: int | Fraction = 0
    """The frame: an int is an index, a Fraction is a time in seconds."""

    def __post_init__(self) -> None:
        if not 1 <= self.object_id <= MAX_OBJECT_ID:
            raise InputError(
                f"Object {self.object_id} is not an object id; use 1 to {MAX_OBJECT_ID}."
            )
        if self.mask is not None and self.mask.any():
            inside = self.mask[self.mask != 0]
            if inside.min() != inside.max():
                raise InputError(
                    f"The mask of object {self.object_id} holds ids from {inside.min()} to "
                    f"{inside.max()}; make a prompt for each with cleanplate.mask_prompts, or give "
                    "mask != 0 to merge them."
                )

    @property
    def is_lone_box(self) -> bool:
        """Whether a box is all that it holds: then the box itself may be the mask."""
        return self.box is not None and not (self.points or self.brushes or self.mask is not None)


class Visibility(StrEnum):
    """What a tracker says of one object in one frame."""

    VISIBLE = "visible"
    PARTLY_HIDDEN = "partly hidden"
    HIDDEN = "hidden"
    LOST = "lost"


@dataclass(frozen=True, slots=True, eq=False)
class ObjectState:
    """One object in one frame, as its tracker sees it."""

    object_id: int
    confidence: float
    """0..1, the engine's own estimate."""
    visibility: Visibility
    corners: np.ndarray | None = None
    """(4, 2) float32 (x, y), clockwise from the top left: planar engines only."""


@dataclass(frozen=True, slots=True, eq=False)
class TrackedMask:
    """What a tracker returns for one frame."""

    mask: np.ndarray
    """(H, W) uint8, value = object id, 0 = background."""
    objects: tuple[ObjectState, ...] = field(default=())


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """What a segmenter offers for one prompt, best first."""

    masks: np.ndarray
    """(n, H, W) bool, n >= 1."""
    confidences: np.ndarray
    """(n,) float32 in 0..1, descending."""


@dataclass(frozen=True, slots=True, eq=False)
class Suggestion:
    """A burned-in overlay that ``suggest`` proposes to remove."""

    box: Box
    mask: np.ndarray
    """(H, W) bool: its letters where they are clear, else the box."""
    start: int
    """First frame that shows it."""
    stop: int
    """One past the last one."""
    confidence: float
    """0..1."""
    kind: str
    """``logo`` when it stays for most of the clip, else ``caption``."""


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """One stream of a file that is not the processed picture."""

    index: int
    kind: str
    """``audio``, ``subtitle``, ``data``, ``attachment`` or ``video``."""
    codec: str
    """FFmpeg's name; ``unknown`` where it knows none."""
    language: str | None = None
    title: str | None = None
    dispositions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chapter:
    """A named span of a clip, in seconds."""

    start: Fraction
    end: Fraction
    title: str | None = None


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What is in a clip. Codes of colour are those of ITU-T H.273, names those of FFmpeg."""

    path: str
    container: str
    """FFmpeg's name of the format; ``images`` for a folder of images."""
    codec: str
    width: int
    """Of the upright picture, in pixels."""
    height: int
    coded_width: int
    """As stored, before the display matrix."""
    coded_height: int
    display_matrix: tuple[int, ...] | None
    """Nine integers in FFmpeg's layout, or None where the file has none."""
    rotation: int
    """Degrees clockwise from the stored to the upright picture: 0, 90, 180 or 270."""
    mirrored: bool
    """Whether the upright picture is a mirror image of the stored one."""
    sample_aspect_ratio: Fraction
    """Width to height of one stored pixel."""
    pixel_format: str
    bit_depth: int
    full_range: bool
    color_range: int
    """1 limited, 2 full, 0 unsaid."""
    primaries: int
    transfer: int
    matrix: int
    chroma_location: str
    has_alpha: bool
    field_order: str
    """``progressive``, ``top first``, ``bottom first`` or ``unsaid``."""
    average_rate: Fraction | None
    """Frames a second, as the header says."""
    time_base: Fraction
    frame_count: int | None
    """As the header says, less what an edit list hides; None where it does not say."""
    start: Fraction
    """Time of the first picture, in seconds."""
    duration: Fraction | None
    """In seconds, as the header says."""
    stream_duration: Fraction | None
    """In seconds, of the video stream alone, where the header says it."""
    bit_rate: int | None
    """Of the video stream, in bits a second; estimated from the file's size if need be."""
    stream_index: int
    video_streams: int
    """How many video streams there are, cover pictures not counted."""
    streams: tuple[StreamInfo, ...] = ()
    """The other streams."""
    chapters: tuple[Chapter, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    stored_format: str | None = None
    """The file's own pixel format, where ``pixel_format`` is another that holds its values."""
    profile: str | None = None
    """Of the codec, as FFmpeg names it: ``LT`` of ProRes, ``High`` of H.264."""
    timecode: str | None = None
    """Of the first picture: HH:MM:SS:FF, with ; before the frames where frames are dropped."""
    reel: str | None = None
    """Name of the tape or card that a timecode counts on."""
    mastering_display: str | None = None
    """As x265 writes it: G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)."""
    content_light: tuple[int, int] | None = None
    """Greatest and greatest frame-average level, in candela a square metre."""
    dynamic_hdr: tuple[str, ...] = ()
    """Dynamic HDR data that re-encoding cannot keep, by name."""
