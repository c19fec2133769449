from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from cleanplate.cli.options import parse_sets
from cleanplate.cli.prompts import parse, split
from cleanplate.errors import InputError
from cleanplate.media.mask_writing import write_mask_image
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


def test_each_id_of_a_mask_is_an_object(tmp_path: Path) -> None:
    """As the first masks of DAVIS are: a palette PNG with seven ids."""
    ids = np.repeat(np.arange(8, dtype=np.uint8), 4).reshape(4, 8)
    path = tmp_path / "00000.png"
    write_mask_image(path, ids)
    found = prompts("--mask", f"{path}@5")
    assert [prompt.object_id for prompt in found] == list(range(1, 8))
    assert {prompt.at for prompt in found} == {5}
    for prompt in found:
        np.testing.assert_array_equal(prompt.mask, ids == prompt.object_id)
    (merged,) = prompts("--object", "3", "--mask", str(path), "--merge")
    assert merged.object_id == 3
    np.testing.assert_array_equal(merged.mask, ids != 0)


def test_one_id_in_a_mask_gives_way_to_the_object_that_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    write_mask_image(path, np.eye(4, dtype=np.uint8) * 3)
    assert [prompt.object_id for prompt in prompts("--mask", str(path))] == [3]
    assert [p.object_id for p in prompts("--object", "2", "--mask", str(path))] == [2]


def test_several_ids_for_one_named_object_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    ids = np.arange(4, dtype=np.uint8).reshape(2, 2)
    write_mask_image(path, ids)
    with pytest.raises(InputError, match="holds the objects 1, 2, 3, and object 9 is named"):
        prompts("--object", "9", "--mask", str(path))
    with pytest.raises(InputError, match="mask_prompts"):
        Prompt(mask=ids)
    with pytest.raises(InputError, match="right behind"):
        prompts("--merge", "--mask", str(path))


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--box", "1,2,3"], "X0,Y0,X1,Y1"),
        (["--box", "5,5,2,9"], "is empty"),
        (["--point", "a,b"], "X,Y"),
        (["--point", "1,2@later"], "not a moment"),
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
