"""Amounts of memory are read as people type them."""

from __future__ import annotations

import pytest

from cleanplate.errors import InputError
from cleanplate.settings.amounts import parse_bytes


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("6GiB", 6 * 1024**3),
        ("6 GB", 6 * 10**9),
        ("1.5g", 15 * 10**8),
        ("800MB", 8 * 10**8),
        ("512mib", 512 * 1024**2),
        ("4096", 4096),
    ],
)
def test_an_amount_is_read(text: str, amount: int) -> None:
    assert parse_bytes(text) == amount


@pytest.mark.parametrize("text", ["", "much", "6 apples", "-2GB", "0GB", "1e9"])
def test_what_is_no_amount_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError, match="write it as 6GiB"):
        parse_bytes(text)
