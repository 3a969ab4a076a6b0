"""Publishing: each exact text once, with its digest in the log; and what changed between two."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession import notices
from avsession.audit.verify import Report
from avsession.canonical import sha256_hex
from avsession.config import Controller, Processor
from avsession.errors import Invalid, NotFound
from avsession.records import Notice
from avsession.usecases import evidence, publishing
from tests.avsession.usecases.world import World
from tests.support.policies import forget, publish_later
from tests.support.tamper import beside


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    forget()


async def published(world: World) -> list[dict[str, Any]]:
    kinds = ("policy.published", "notice.published")
    return [leaf for leaf in await world.leaves() if leaf["kind"] in kinds]


async def verified(world: World) -> Report:
    await evidence.keep_signing(world.app)
    return await evidence.verify(world.store, world.app.notary.key, ())


async def test_every_version_is_published_once(world: World) -> None:
    for _ in range(3):
        await publishing.publish(world.app)
    leaves = await published(world)
    said = [
        (one["kind"], one["refs"]["id"], one["refs"]["version"], one["refs"]["language"])
        for one in leaves
    ]
    assert said == [
        ("policy.published", "privacy", "1", "en"),
        ("policy.published", "privacy", "1", "de"),
        ("policy.published", "privacy", "2", "en"),
        ("policy.published", "privacy", "2", "de"),
        ("policy.published", "privacy", "3", "en"),
        ("policy.published", "privacy", "3", "de"),
        ("notice.published", "recording", "1", "en"),
        ("notice.published", "recording", "1", "de"),
    ]
    for one in leaves:
        row = await world.only(Notice, sha256=one["refs"]["sha256"])
        assert sha256_hex(row.text) == row.sha256
    assert [one["refs"].get("material") for one in leaves] == [
        *(False, False, True, True, False, False),
        *(None, None),
    ]
    assert (await verified(world)).findings == ()


async def test_other_details_publish_the_newest_again_and_leave_what_was(world: World) -> None:
    await publishing.publish(world.app)
    before = {row.sha256: row.text for row in await world.find(Notice)}
    world.settings = msgspec.structs.replace(
        world.settings, controller=Controller(contact="new@example.com")
    )
    await world.restart()
    await publishing.publish(world.app)
    leaves = await published(world)
    new = [(one["refs"]["id"], one["refs"]["version"]) for one in leaves[8:]]
    assert new == [("privacy", "3")] * 2 + [("recording", "1")] * 2
    after = {row.sha256: row.text for row in await world.find(Notice)}
    assert before.items() <= after.items()


async def test_a_request_publishes_no_second_time(world: World) -> None:
    await publishing.publish(world.app)
    await world.ask()  # for one purpose: other words
    count = len(await published(world))
    await publishing.publish(world.app)
    assert len(await published(world)) == count


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE notice SET text = x'4869' WHERE id = 'privacy' AND version = '2'",
        "UPDATE notice SET version = '1' WHERE id = 'privacy' AND version = '2'",
        "DELETE FROM notice WHERE id = 'privacy' AND version = '1'",
        "UPDATE notice SET id = 'recording' WHERE id = 'privacy'",
    ],
)
async def test_a_policy_that_was_changed_afterwards_is_found(world: World, change: str) -> None:
    await publishing.publish(world.app)
    with beside(world.folder) as database:
        database.execute(change)
    findings = (await verified(world)).findings
    assert findings
    assert all(one.step == 7 and one.where.startswith("notice ") for one in findings)


async def test_a_policy_that_nobody_published_is_found(world: World) -> None:
    text = notices.whole(notices.PRIVACY, "2", "en", world.settings)
    async with world.store.write() as tx:
        await tx.add(
            Notice(
                sha256=text.sha256, id=text.id, version="2", language="en", text=text.data, at_ms=1
            )
        )
    (finding,) = (await verified(world)).findings
    assert finding.what == "no leaf published it"


async def test_what_there_is_and_since_when(world: World) -> None:
    policy, notice = await publishing.published(world.app)
    assert (policy["document"], notice["document"]) == ("privacy", "recording")
    assert policy["versions"][0]["published_ms"] is None
    await publishing.publish(world.app)
    policy, _ = await publishing.published(world.app)
    newest = policy["versions"][0]
    assert (newest["version"], newest["updated"], newest["material"]) == ("3", "2026-11-22", False)
    assert newest["published_ms"] == world.clock.now_ms()
    assert newest["texts"]["de"] == publishing.text_of(world.app, "privacy", "", "de").sha256


async def test_what_a_setting_changed_in_the_policy_is_told_too(world: World) -> None:
    await publishing.publish(world.app)
    first = publishing.text_of(world.app, "privacy", "", "de")
    world.clock.forward(86_400)
    processor = Processor(name="Hosting Ltd", what_for={"en": "servers"}, where={"en": "Example"})
    settings = msgspec.structs.replace(world.app.settings, processors=(processor,))
    object.__setattr__(world.app, "settings", settings)
    await publishing.publish(world.app)
    await world.ask()
    policy, notice = await publishing.published(world.app)
    newest = policy["versions"][0]
    earlier = newest["earlier"]["de"]
    assert [one["sha256"] for one in earlier] == [first.sha256]
    assert earlier[0]["published_ms"] < newest["published_ms"]
    assert not any(notice["versions"][0]["earlier"].values()), "it is archived by purposes"
    version = newest["version"]
    found = await publishing.compared(world.app, "privacy", first.sha256, version, "de")
    added = [p["text"] for block in found["blocks"] for p in block if p["kind"] == "added"]
    assert any("Hosting Ltd" in text for text in added)
    assert (found["from"], found["to"], found["language"]) == (version, version, "de")
    before = str(int(version) - 1)
    forwards = await publishing.compared(world.app, "privacy", before, first.sha256, "de")
    assert forwards["to"] == version
    for old, new in ((version, first.sha256), (first.sha256, first.sha256), (first.sha256, before)):
        with pytest.raises(Invalid):
            await publishing.compared(world.app, "privacy", old, new, "de")
    with pytest.raises(Invalid):
        await publishing.compared(world.app, "privacy", before, first.sha256, "en")
    asked = (await world.find(Notice, id="recording"))[0]
    for wrong in ("0" * 64, asked.sha256):
        with pytest.raises(NotFound):
            await publishing.compared(world.app, "privacy", wrong, version, "de")


async def test_what_changed_in_a_version_to_come(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for document in notices.DOCUMENTS:
        version = publish_later(monkeypatch, tmp_path, document, material=False)
        for language in ("en", "de"):
            before = str(int(version) - 1)
            found = await publishing.compared(world.app, document, before, version, language)
            added = [p["text"] for block in found["blocks"] for p in block if p["kind"] == "added"]
            assert "One sentence more." in added
            assert (found["from"], found["to"], found["language"]) == (before, version, language)
    await publishing.publish(world.app)
    assert len(await published(world)) == 12


async def test_only_what_exists_is_compared_and_forwards(world: World) -> None:
    for old, new in (("2", "1"), ("2", "2")):
        with pytest.raises(Invalid):
            await publishing.compared(world.app, "privacy", old, new, "en")
    with pytest.raises(NotFound):
        await publishing.compared(world.app, "privacy", "1", "9", "en")
    with pytest.raises(NotFound):
        await publishing.compared(world.app, "elsewhere", "1", "2", "en")
    assert publishing.text_of(world.app, "privacy", "2", "fr").language == "en"
