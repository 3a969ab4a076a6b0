"""Whether an answer is one that the description knows: held for every request of these tests."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from web.app import TABLE
from web.openapi import document
from web.problems import MEDIA

if TYPE_CHECKING:
    from tests.web.support import Answer

DOCUMENT = document(TABLE, "https://localhost:8443")


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^{}/]+", re.escape(path)))


# those without a brace first: /requests/figures is no request
PATTERNS = [
    (_pattern(path), methods)
    for path, methods in sorted(DOCUMENT["paths"].items(), key=lambda found: "{" in found[0])
]


def operation(method: str, path: str) -> dict[str, Any] | None:
    """What is said of a request; None when it is for no operation of the api."""
    method = "get" if method == "HEAD" else method.lower()
    for pattern, methods in PATTERNS:
        if pattern.fullmatch(path.partition("?")[0]):
            found: dict[str, Any] | None = methods.get(method)
            return found
    return None


def check(method: str, path: str, answer: Answer) -> None:
    """Raise AssertionError for an answer whose status, media type or code is not described."""
    found = operation(method, path)
    if found is None or method == "HEAD":
        return
    responses = found["responses"]
    assert str(answer.status) in responses, f"{method} {path}: no {answer.status} is described"
    content = responses[str(answer.status)].get("content", {})
    if not content and not answer.body:
        return
    media = answer.headers["Content-Type"].partition(";")[0]
    assert media in content, f"{method} {path}: {answer.status} as {media} is not described"
    if media == MEDIA:
        code = json.loads(answer.body)["code"]
        examples = content[media]["examples"]
        assert code in examples, f"{method} {path}: {answer.status} {code} is not described"
