"""The privacy policy and the notices: their versions, their texts, and what changed between two."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta

from avsession.errors import NotFound
from avsession.messages.common import Language
from avsession.usecases import publishing
from web.access import ANYBODY
from web.api import examples
from web.routing import Body, Call, Nothing, Route

Document = Literal["privacy", "recording"]
Version = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}$(?!\n)")]
Edition = Annotated[str, Meta(pattern=r"^([1-9][0-9]{0,5}|[0-9a-f]{64})$(?!\n)")]
"""A version, or the SHA-256 of a text that was published."""


class Wanted(Body, frozen=True, kw_only=True):
    """A text; without ``version`` the newest, in English where the language is not offered."""

    document: Document
    language: Language
    version: Version | None = None


class Compared(Body, frozen=True, kw_only=True):
    """Two versions, or texts of the policy that were published; the earlier one first."""

    document: Document
    language: Language
    before: Edition
    after: Edition


async def get_all(call: Call[Nothing]) -> object:
    """Every document with its versions, newest first."""
    return {"documents": await publishing.published(call.app)}


async def get_text(call: Call[Wanted]) -> object:
    """A version's text, with its digest."""
    body = call.body
    text = publishing.text_of(call.app, body.document, body.version or "", body.language)
    return {
        "document": text.id,
        "version": text.version,
        "language": text.language,
        "sha256": text.sha256,
        "text": text.text,
    }


async def get_changes(call: Call[Compared]) -> object:
    """What changed, word by word."""
    body = call.body
    return await publishing.compared(
        call.app, body.document, body.before, body.after, body.language
    )


TEXT: dict[str, Any] = {
    "document": "privacy",
    "version": "2",
    "language": "en",
    "sha256": examples.SHA256,
    "text": "Privacy policy",
}

ROUTES = (
    Route(
        method="GET",
        path="/api/policies",
        handle=get_all,
        summary="The versions of the privacy policy and of the notices",
        access=ANYBODY,
        answer={
            "documents": [
                {
                    "document": "privacy",
                    "versions": [
                        {
                            "version": "2",
                            "updated": "2026-11-22",
                            "material": True,
                            "texts": {"en": examples.SHA256, "de": examples.SHA256},
                            "published_ms": examples.NOW,
                            "earlier": {
                                "en": [{"sha256": examples.SHA256, "published_ms": examples.NOW}],
                                "de": [],
                            },
                        }
                    ],
                }
            ]
        },
    ),
    Route(
        method="GET",
        path="/api/policies/text",
        handle=get_text,
        summary="The text of a version",
        access=ANYBODY,
        body=Wanted,
        answer=TEXT,
        errors=(NotFound,),
    ),
    Route(
        method="GET",
        path="/api/policies/changes",
        handle=get_changes,
        summary="What changed from one version to another, word by word",
        access=ANYBODY,
        body=Compared,
        answer={
            "document": "privacy",
            "from": "1",
            "to": "2",
            "language": "en",
            "blocks": [[{"kind": "same", "text": "Privacy policy"}]],
        },
        errors=(NotFound,),
    ),
)
