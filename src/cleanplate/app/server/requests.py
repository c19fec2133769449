"""What a request says of itself, read with care."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from cleanplate.app.sentences import Refusal
from cleanplate.errors import InputError

_MOST_JSON = 8 << 20  # bytes: long strokes have many points


def is_json(request: Request) -> bool:
    """Whether the body of a request is JSON."""
    return request.headers.get("content-type", "").split(";")[0].strip() == "application/json"


async def json_of(request: Request) -> dict[str, Any]:
    """The JSON object that a request sends.

    Raises:
        InputError: it is something else.
        Refusal: it is too long.
    """
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_JSON:
            raise Refusal(413, "That is too much for a request in words.")
    try:
        parsed = json.loads(body)
    except ValueError as error:
        raise InputError("The request is no JSON.") from error
    if not isinstance(parsed, dict):
        raise InputError("The request is no JSON object.")
    return parsed


def length_of(request: Request) -> int | None:
    """How many bytes the body has, as its header claims; None where it does not say."""
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None
