from dataclasses import dataclass

import pytest

from cleanplate.errors import InputError
from cleanplate.settings import check, parse, setting


@dataclass(frozen=True)
class Sample:
    radius: float = setting(5.0, "How far.", low=1, high=50)
    mode: str = setting("fast", "How.", choices=("fast", "good"))
    deep: bool = setting(False, "Whether.")
    most: int | None = setting(None, "How many.", low=1)

    def __post_init__(self) -> None:
        check(self)


def test_texts_become_values_of_the_field_s_type() -> None:
    made = parse(Sample, {"radius": "7.5", "deep": "yes", "most": "3"})
    assert made == Sample(7.5, "fast", True, 3)
    assert parse(Sample, {"most": "none"}).most is None


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"radius": "60"}, "at most 50"),
        ({"radius": "wide"}, "expected float"),
        ({"mode": "slow"}, "fast, good"),
        ({"deep": "maybe"}, "expected bool"),
        ({"depth": "1"}, "there are: radius"),
        ({"most": "0"}, "at least 1"),
    ],
)
def test_what_does_not_fit_is_said_with_what_would(values: dict[str, str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse(Sample, values)
