"""Folders, globs, lists and projects become orders; what is wrong names its line and field."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cleanplate.batch.orders import ClipOrder, Orders, orders_from
from cleanplate.errors import InputError
from cleanplate.prompts.typed import Word


def orders_of(tmp_path: Path, *lines: dict[str, Any] | str, **common: Any) -> Orders:
    path = tmp_path / "orders.jsonl"
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    path.write_text("\n".join(texts) + "\n")
    return orders_from(str(path), **common)


def only(orders: Orders) -> ClipOrder:
    (order,) = orders
    return order


def test_a_folder_gives_its_clips_by_name_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.MOV", "notes.txt", "c.avi"):
        (tmp_path / name).touch()
    orders = orders_from(str(tmp_path), suggest=True)
    assert orders.checked() == 3
    assert [order.out for order in orders] == ["a.MOV", "b.mp4", "c.mkv"]
    assert all(Path(order.clip).is_absolute() and order.suggest for order in orders)


def test_a_glob_keeps_the_folders_below_its_fixed_part(tmp_path: Path) -> None:
    for name in ("x/a.mp4", "y/a.mp4"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    orders = orders_from(str(tmp_path / "*" / "*.mp4"), suggest=True)
    assert [order.out for order in orders] == ["x/a.mp4", "y/a.mp4"]


def test_a_line_says_clip_prompts_settings_and_output(tmp_path: Path) -> None:
    order = only(
        orders_of(
            tmp_path,
            {
                "clip": "in/a.mp4",
                "out": "done/a.mkv",
                "box": [40, 22, 180, 96],
                "prompts": [{"object": 2, "point": ["5,6@12", "7,8"]}],
                "static": True,
                "grow": 4,
                "set": {"telea": {"radius": 3}},
            },
        )
    )
    assert order.clip == str(tmp_path / "in" / "a.mp4")
    assert order.out == "done/a.mkv"
    assert order.words == (
        *(Word("--box", "40,22,180,96"), Word("--object", "2")),
        *(Word("--point", "5,6@12"), Word("--point", "7,8")),
    )
    assert order.settings.engines.static
    assert order.settings.masks.grow == 4
    assert order.settings.engine_fields == {"telea": {"radius": "3"}}


def test_a_row_of_a_csv_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "clip,box,static,suggest,set\n"
        'a.mp4,"1,2,30,40; 5,6,70,80@2s",true,,telea.radius=3\n'
        "s3://bucket/b.mp4,,,yes,\n"
    )
    first, second = orders_from(str(path))
    assert first.words == (Word("--box", "1,2,30,40"), Word("--box", "5,6,70,80@2s"))
    assert first.settings.engines.static
    assert second.clip == "s3://bucket/b.mp4"
    assert second.suggest
    assert not second.settings.engines.static


def test_what_is_common_holds_unless_a_line_says_otherwise(tmp_path: Path) -> None:
    common: dict[str, Any] = {"words": [Word("--box", "1,2,3,4")], "values": {"static": True}}
    plain, other = orders_of(
        *(tmp_path, {"clip": "a.mp4"}, {"clip": "b.mp4", "masks": "m.png", "static": False}),
        **common,
    )
    assert plain.words == (Word("--box", "1,2,3,4"),)
    assert plain.settings.engines.static
    assert other.words == ()
    assert other.masks == str(tmp_path / "m.png")
    assert not other.settings.engines.static


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{clip", "line 2 is no JSON"),
        ("[1]", "line 2 is [1]; expected an object"),
        ({"clip": "a.mp4", "bxo": "1"}, "line 2 has a field 'bxo'"),
        ({"box": "1,2,3,4"}, "line 2 must name one clip"),
        ({"clip": "a.mp4", "box": "1,2,3"}, "line 2: --box 1,2,3 is not of the form"),
        ({"clip": "a.mp4"}, "line 2: nothing says what to remove"),
        ({"clip": "a.mp4", "box": "1,2,3,4", "masks": "m.png"}, "line 2: give only one"),
        ({"clip": "a.mp4", "suggest": "perhaps"}, "line 2, field suggest"),
        ({"clip": "a.mp4", "suggest": True, "grow": "far"}, "line 2, field grow: Setting grow"),
        ({"clip": "a.mp4", "suggest": True, "grow": 9999}, "line 2, field grow: Setting grow"),
        ({"clip": "a.mp4", "suggest": True, "out": "../a.mp4"}, "line 2, field out"),
        ({"clip": "a.mp4", "suggest": True, "out": "pictures/"}, "line 2, field out: pictures/ is"),
        ({"clip": "a.mp4", "suggest": True, "set": {"nobody": {"x": 1}}}, "line 2: There is no"),
        ({"clip": "a.mp4", "prompts": {"box": "1"}, "suggest": True}, "line 2, field prompts"),
        ({"clip": "first.mp4", "suggest": True}, "Two orders would be written to first.mp4"),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_field(
    tmp_path: Path, line: dict[str, Any] | str, said: str
) -> None:
    orders = orders_of(tmp_path, {"clip": "first.mp4", "suggest": True}, line)
    with pytest.raises(InputError) as raised:
        orders.checked()
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "said"), [("", "There are no clips"), ("nowhere", "There is no folder or list")]
)
def test_a_place_without_clips_is_said(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        orders_from(str(tmp_path / name), suggest=True).checked()


def test_ten_thousand_orders_are_not_held(tmp_path: Path) -> None:
    orders = orders_of(tmp_path, *({"clip": f"{n}.mp4", "suggest": True} for n in range(10)))
    first = iter(orders)
    assert next(first).out == "0.mp4"
    assert orders.checked() == 10, "it can be gone through again"
    assert next(first).out == "1.mp4"
