"""Answers as JSON."""

from __future__ import annotations

import json

import orjson


def json_text(answer: object) -> str:
    """An answer as JSON in ASCII."""
    try:
        text = orjson.dumps(answer).decode()
    except orjson.JSONEncodeError:  # a price can exceed 64 bits
        return json.dumps(answer)
    return text if text.isascii() else json.dumps(answer)
