from fractions import Fraction

import pytest

from cleanplate.errors import InputError
from cleanplate.settings.moments import parse_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("@120", 120),
        ("120", 120),
        ("@4.5s", Fraction(9, 2)),
        ("@0:04.5", Fraction(9, 2)),
        ("1:02:03.25", Fraction(14893, 4)),
        ("0:10", Fraction(10)),
    ],
)
def test_frames_are_integers_and_times_exact(text: str, moment: int | Fraction) -> None:
    parsed = parse_moment(text)
    assert parsed == moment
    assert type(parsed) is type(moment)


@pytest.mark.parametrize("text", ["", "@", "-3", "@4.5", "1:2:3:4", "soon", "@-1s"])
def test_anything_else_is_a_clear_error(text: str) -> None:
    with pytest.raises(InputError, match="not a moment of a clip"):
        parse_moment(text)
