"""What a request says of itself, read with care."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request

from cleanplate.app.sentences import Refusal
from cleanplate.errors import InputError

_MOST_JSON = 8 << 20  # bytes: long strokes have many points


def is_json(request: Request) -> bool:
    return request.headers.get("content-type", "").split(";")[0].strip() == "application/json"


async def json_of(request: Request) -> dict[str, Any]:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > _MOST_JSON:
            raise Refusal(413, "That is too much for a request in words.")
    try:
        found = json.loads(body)
    except ValueError as error:
        raise InputError("The request is no JSON.") from error
    if not isinstance(found, dict):
        raise InputError("The request is no JSON object.")
    return found


def length_of(request: Request) -> int | None:
    length = request.headers.get("content-length", "")
    return int(length) if length.isdecimal() else None
