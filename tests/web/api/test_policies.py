"""Policies and notices over the wire: for anybody, and only what exists."""

import hashlib

import pytest

from avsession.usecases import publishing
from tests.web.support import Site, same_shape
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}


async def test_versions_texts_and_changes(site: Site) -> None:
    await publishing.publish(site.app)
    listed = await site.get("/api/policies")
    same_shape(EXAMPLES["/api/policies"], listed.json)
    newest = listed.json["documents"][0]["versions"][0]
    assert newest["published_ms"] == site.clock.now_ms()
    text = await site.get("/api/policies/text?document=privacy&language=de")
    same_shape(EXAMPLES["/api/policies/text"], text.json)
    assert text.json["sha256"] == newest["texts"]["de"]
    assert hashlib.sha256(text.json["text"].encode()).hexdigest() == newest["texts"]["de"]
    older = await site.get("/api/policies/text?document=privacy&language=en&version=1")
    assert older.json["version"] == "1"
    path = "/api/policies/changes?document=privacy&language=en&before=1&after=2"
    changes = await site.get(path)
    same_shape(EXAMPLES["/api/policies/changes"], changes.json)
    digest = newest["texts"]["en"]
    itself = await site.get(
        f"/api/policies/changes?document=privacy&language=en&before=2&after={digest}"
    )
    assert itself.json["to"] == newest["version"], "a text that was published, by its digest"
    kinds = {part["kind"] for block in changes.json["blocks"] for part in block}
    assert kinds == {"same", "removed", "added"}


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("text?document=privacy&language=en&version=9", 404),
        ("text?document=secrets&language=en", 400),
        ("text?document=../privacy&language=en", 400),
        ("text?document=privacy&language=../en", 400),
        ("text?document=privacy&language=en&version=01", 400),
        ("text?document=privacy&language=en&version=1%0A", 400),
        ("text?document=privacy&language=xx", 200),
        ("changes?document=privacy&language=en&before=2&after=1", 400),
        ("changes?document=privacy&language=en&before=1&after=9", 404),
        ("changes?document=privacy&language=en&before=1", 400),
        (f"changes?document=privacy&language=en&before={'0' * 64}&after=2", 404),
        (f"changes?document=privacy&language=en&before={'0' * 63}&after=2", 400),
    ],
)
async def test_only_what_exists(site: Site, query: str, status: int) -> None:
    assert (await site.get(f"/api/policies/{query}")).status == status
