from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli.options import parse_sets
from cleanplate.cli.prompts import parse, split
from cleanplate.errors import InputError
from cleanplate.media.mask_files import write_mask_image
from cleanplate.types import Box, Point, Prompt


def prompts(*args: str) -> list[Prompt]:
    words, others = split(list(args))
    assert others == []
    return list(parse(words))


def test_prompts_keep_their_order_and_belong_to_the_object_named_before_them() -> None:
    found = prompts(
        *("--point", "1,2", "--object", "3", "--box", "4,5,6,7@9"),
        *("--not-point=8,9@0:01.5", "--object", "1", "--point", "-3,2.5@2s"),
    )
    assert [(p.object_id, p.at) for p in found] == [
        (1, 0),
        (3, 9),
        (3, Fraction(3, 2)),
        (1, Fraction(2)),
    ]
    assert found[0].points == (Point(1, 2, True),)
    assert found[1].box == Box(4, 5, 6, 7)
    assert found[2].points == (Point(8, 9, False),)
    assert found[3].points == (Point(-3, 2.5, True),)


def test_other_arguments_are_left_alone() -> None:
    words, others = split(["clip.mp4", "--box", "1,2,3,4", "-o", "out.mp4", "--static"])
    assert len(words) == 1
    assert others == ["clip.mp4", "-o", "out.mp4", "--static"]


def test_a_mask_prompt_is_read_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "a@b.png"
    mask = np.eye(9, dtype=np.uint8)
    write_mask_image(path, mask)
    (plain,) = prompts("--mask", str(path))
    (later,) = prompts("--mask", f"{path}@7")
    assert plain.mask is not None
    np.testing.assert_array_equal(plain.mask, mask > 0)
    assert (plain.at, later.at) == (0, 7)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--box", "1,2,3"], "X0,Y0,X1,Y1"),
        (["--box", "5,5,2,9"], "is empty"),
        (["--point", "a,b"], "X,Y"),
        (["--point", "1,2@later"], "no moment"),
        (["--object", "0"], "1 to 255"),
        (["--object", "x"], "1 to 255"),
        (["--box"], "needs a value"),
        (["--box", "-o", "out.mp4"], "needs a value"),
        (["--box", "nan,1,2,3"], "X0,Y0,X1,Y1"),
        (["--box", "0,0,1e999,3"], "X0,Y0,X1,Y1"),
        (["--point", "nan,3"], "X,Y"),
    ],
)
def test_a_prompt_that_does_not_parse_says_what_was_expected(args: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        prompts(*args)


def test_engine_settings_are_read_and_checked_for_form() -> None:
    assert parse_sets(["a.b=1", "a.c=x=y"]) == {"a": {"b": "1", "c": "x=y"}}
    for wrong in ("ab=1", "a.b", ".b=1", "a.=2"):
        with pytest.raises(InputError, match=r"ENGINE\.FIELD=VALUE"):
            parse_sets([wrong])
