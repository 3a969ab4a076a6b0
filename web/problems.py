"""Errors of the HTTP API as RFC 9457 problems; our stable code stands beside its members."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from avsession.errors import AvsessionError

MEDIA = "application/problem+json"
TYPES = "/api/errors"
"""Where every type of problem is listed; one is named by its code, as a fragment."""


def problem(status: int, code: str, sentence: str) -> dict[str, Any]:
    """The members of RFC 9457 section 3.1, and ``code``, which programs may rely on."""
    return {
        "type": f"{TYPES}#{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": sentence,
        "code": code,
    }


def refusal(status: int, code: str, sentence: str, base: str = "") -> web.Response:
    """The answer that says so; ``base`` is the path prefix of the public address."""
    said = problem(status, code, sentence)
    body = msgspec.json.encode(said | {"type": base + said["type"]})
    return web.Response(status=status, body=body, content_type=MEDIA)


def listed() -> dict[str, str]:
    """Every code with the sentence that usually stands beside it, by code."""
    found: dict[str, str] = {}
    kinds = [AvsessionError]
    while kinds:
        kind = kinds.pop()
        found[kind.code] = kind.sentence
        kinds += kind.__subclasses__()
    return dict(sorted(found.items()))
