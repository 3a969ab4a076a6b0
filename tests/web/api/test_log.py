"""What the log publishes: verifiable by anybody, about nobody, and nothing is signed for it."""

from __future__ import annotations

import pytest

from avsession.audit import checkpoint, log, merkle, proof
from avsession.records import Leaf, SignedHead
from avsession.session import Party, Session
from avsession.usecases import evidence
from tests.web.support import Site, Story, same_shape
from web.api.log import BURST
from web.app import TABLE

EXAMPLES = {route.path: route.answer for route in TABLE}
PLAIN = "text/plain; charset=utf-8"


async def heads(site: Site) -> list[SignedHead]:
    async with site.app.store.read() as tx:
        return await tx.find(SignedHead, order="size")


async def test_before_the_first_head_there_is_nothing(site: Site) -> None:
    for path in ("/log/checkpoint", "/log/proof?leaf=0", "/log/consistency?from=0"):
        answer = await site.get(path)
        assert (answer.status, answer.code) == (404, "not_found")
    assert await heads(site) == []


async def test_a_stranger_verifies_a_leaf_with_what_is_published(site: Site, story: Story) -> None:
    await evidence.checkpoint(site.app)
    key = checkpoint.parse_key((await site.get("/log/key")).body.decode())
    answer = await site.get("/log/checkpoint")
    assert (answer.status, answer.headers["Content-Type"]) == (200, PLAIN)
    head = checkpoint.verify(answer.body.decode(), key)
    async with site.app.store.read() as tx:
        leaves = await tx.find(Leaf, order="index")
    assert head.size == len(leaves) > 5
    answer = await site.get("/log/proof?leaf=3")
    assert answer.headers["Content-Type"] == PLAIN
    found = proof.parse(answer.body.decode(), leaves[3].data)
    assert proof.verify(found, key) == head


async def test_a_stranger_verifies_that_today_extends_what_they_kept(
    site: Site, story: Story
) -> None:
    old = await evidence.checkpoint(site.app)
    async with site.app.store.write() as tx:
        await log.append(tx, site.app.clock, site.app.entropy, "audit.read", actor="a")
    await evidence.checkpoint(site.app)
    answer = (await site.get(f"/log/consistency?from={old.size}")).json
    same_shape(EXAMPLES["/log/consistency"], answer)
    new = checkpoint.verify(answer["checkpoint"], site.app.notary.key)
    hashes = [checkpoint.unb64(one) for one in answer["hashes"]]
    assert (answer["from"], answer["size"]) == (old.size, new.size)
    assert merkle.verify_consistency(old.size, new.size, hashes, old.root, new.root)
    older = await site.get(f"/log/proof?leaf=0&size={old.size}")
    assert older.body.decode().endswith(old.note)


async def test_there_is_nobody_in_it(site: Site, story: Story) -> None:
    await evidence.checkpoint(site.app)
    async with site.app.store.read() as tx:
        people = await tx.find(Party)
        sessions = await tx.find(Session)
    private = {one.pseudonym for one in people} | {one.pseudonym for one in sessions}
    private |= {one.name for one in people}
    assert private
    for path in ("/log/checkpoint", "/log/proof?leaf=2", "/log/consistency?from=1", "/log/key"):
        body = (await site.get(path)).body.decode()
        assert not [word for word in private if word in body]


async def test_nothing_is_signed_for_whoever_asks(site: Site, story: Story) -> None:
    head = await evidence.checkpoint(site.app)
    async with site.app.store.write() as tx:
        index = await log.append(tx, site.app.clock, site.app.entropy, "audit.read", actor="a")
    assert (await site.get(f"/log/proof?leaf={index}")).status == 404
    assert (await site.get("/log/checkpoint")).body.decode() == head.note
    assert len(await heads(site)) == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/log/proof", 400), ("/log/proof?leaf=-1", 400), ("/log/proof?leaf=x", 400),
        ("/log/proof?leaf=0&leaf=1", 400), ("/log/proof?leaf=0&more=1", 400),
        ("/log/proof?leaf=9007199254740993", 400), ("/log/proof?leaf=99999", 404),
        ("/log/proof?leaf=0&size=1", 404), ("/log/consistency", 400),
        ("/log/consistency?from=99999", 400),
    ],
)  # fmt: skip
async def test_what_is_asked_wrongly(site: Site, story: Story, path: str, status: int) -> None:
    await evidence.checkpoint(site.app)
    answer = await site.get(path)
    assert answer.status == status
    assert answer.code in ("invalid", "not_found")


async def test_asking_too_fast(site: Site) -> None:
    for _ in range(BURST):
        assert (await site.get("/log/key")).status == 200
    answer = await site.get("/log/key")
    assert (answer.status, answer.code) == (429, "too_many")
    site.clock.forward(1)
    assert (await site.get("/log/key")).status == 200


async def test_another_site_may_link_to_it(site: Site) -> None:
    answer = await site.get("/log/key", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status == 200
