"""Amounts of memory, as people type them: 6GiB, 800MB, 2G."""

from __future__ import annotations

import re

from cleanplate.errors import InputError

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def parse_bytes(text: str) -> int:
    """Bytes: ``6GiB`` is 6 * 1024^3, ``6GB`` and ``6G`` are 6 * 1000^3, ``600`` is 600.

    Raises:
        InputError: ``text`` is no such amount, or is zero.
    """
    match = _AMOUNT.fullmatch(text.strip())
    amount = 0
    if match is not None:
        number, unit, binary = match.groups()
        amount = int(float(number) * (1024 if binary else 1000) ** _POWERS[unit.lower()])
    if amount == 0:
        raise InputError(f"{text!r} is not an amount of memory; write it as 6GiB, 800MB or 2G.")
    return amount
