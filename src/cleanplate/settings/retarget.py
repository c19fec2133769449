"""What retargeting can be told, beside what every job can."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate.settings.fields import check, setting

REFRAME, RECOMPOSE = "reframe", "recompose"
RESIZE, EXTEND = "resize", "extend"
AUTO, KEEP, IGNORE = "auto", "keep", "ignore"


@dataclass(frozen=True, slots=True)
class RetargetSettings:
    """How a clip comes into another shape."""

    way: str = setting(
        REFRAME,
        "How: reframe cuts out a part that follows what matters; recompose takes what you point at "
        "out of the picture, brings the background into the new shape and puts it back.",
        choices=(REFRAME, RECOMPOSE),
    )
    background: str = setting(
        RESIZE,
        "Recompose: resize the whole background to the new shape, or extend the picture by what "
        "other frames of a shot show beyond its sides; what none shows is made up and said so.",
        choices=(RESIZE, EXTEND),
    )
    zoom: float = setting(
        1.0,
        "Cut out a part this many times smaller than the largest that has the shape: 1 is the full "
        "height of a wide clip.",
        low=1.0,
        high=8.0,
    )
    captions: str = setting(
        AUTO,
        "Burned-in captions: keep them whole where they fit, or ignore them; auto keeps them where "
        "nothing is pointed at.",
        choices=(AUTO, KEEP, IGNORE),
    )

    def __post_init__(self) -> None:
        check(self)

    @property
    def extends(self) -> bool:
        """Whether the picture is extended rather than cut or resized."""
        return self.way == RECOMPOSE and self.background == EXTEND
