"""The attacks that the product was promised to withstand, each against the running product.

From outside, over real TLS: each is refused with its code, and nothing has changed afterwards but
for the refusal's own leaf. What a recorder refuses by itself, an expired grant among it, is in
`tests/recorder/test_worker.py`; what a page refuses is in `tests/browser/test_lock.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from avsession.recording import Sealed
from avsession.session import new_id
from tests.browser.product import Product
from tests.faults.outside import key, outside
from tests.faults.scene import SDP, Scene, offer, untouched
from tests.faults.taken import Worker, now_ms

pytestmark = pytest.mark.asyncio(loop_scope="module")


def entropy(size: int) -> bytes:
    """Other people's identifiers need no chance."""
    return bytes(range(size))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """One product for all: every test makes a call of its own."""
    product = Product(tmp_path_factory.mktemp("attacks"), recorders="0")
    await product.start()
    try:
        async with outside(product) as out:
            worker = Worker(out)
            await worker.join()
            yield Scene(out, await out.sign_in("agent"), await out.sign_in("admin"), worker)
    finally:
        assert await product.stop() == 0


# --- a party's page that consents for others, or to what was not asked


async def test_given_for_the_other_party(scene: Scene) -> None:
    agent, customer, _, said = await scene.asked()
    async with untouched(scene.out):
        for field in ("party", "subject", "actor", "sender"):
            await customer.wire.say("consent.give", key=key(), **said, **{field: agent.id})
            await customer.wire.hear("error", code="message.invalid")
        # nor does a seat's cookie open the agent's seat
        status, body = await scene.out.post(
            f"/api/sessions/{agent.session}/ticket", {}, cookie=customer.cookie
        )
        assert (status, body["code"]) == (401, "auth.required")


async def test_given_for_an_older_request(scene: Scene) -> None:
    agent, customer, request, said = await scene.asked()
    assert (await customer.wire.ask("consent.refuse", request=request))["type"] == "ack"
    await agent.wire.ask("recording.request", purposes=["quality"])
    async with untouched(scene.out):
        answer = await customer.wire.ask("consent.give", **said)
        assert answer["code"] == "consent.request_over"


async def test_given_for_another_session(scene: Scene) -> None:
    _, _, _, theirs = await scene.asked()
    _, customer, _, _ = await scene.asked()
    async with untouched(scene.out):
        answer = await customer.wire.ask("consent.give", **theirs)
        assert answer["code"] == "consent.request_over"


async def test_given_twice(scene: Scene) -> None:
    _, customer, _, said = await scene.asked()
    once = key()
    first = await customer.wire.ask("consent.give", key=once, **said)
    async with untouched(scene.out):
        answer = await customer.wire.ask("consent.give", **said)
        assert answer["code"] == "consent.answered"
        after = len(customer.wire.heard)
        await customer.wire.say("consent.give", key=once, **said)
        assert await customer.wire.hear("ack", after=after) == first
        await customer.wire.say("consent.give", key=once, **(said | {"purposes": ["evidence"]}))
        await customer.wire.hear("error", code="conflict", after=after)


async def test_given_with_another_notices_hash(scene: Scene) -> None:
    _, customer, _, said = await scene.asked()
    asked = await customer.wire.hear("recording.asked")
    german = next(t["sha256"] for t in asked["ask"]["notices"] if t["language"] == "de")
    async with untouched(scene.out):
        for notice in (german, "0" * 64):
            answer = await customer.wire.ask("consent.give", **(said | {"notice": notice}))
            assert answer["code"] == "consent.notice_mismatch"
        for purposes in (["evidence"], [], ["quality", "marketing"]):
            answer = await customer.wire.ask("consent.give", **(said | {"purposes": purposes}))
            assert answer["code"] == "consent.purposes"


async def test_only_the_agent_asks(scene: Scene) -> None:
    _, customer = await scene.out.call(scene.agent)
    async with untouched(scene.out):
        answer = await customer.wire.ask("recording.request", purposes=["quality"])
        assert answer["code"] == "not_permitted"


# --- a recorder that was taken over


async def test_a_recorder_without_a_grant(scene: Scene) -> None:
    agent, customer, _, said = await scene.asked()
    await agent.wire.ask("consent.give", **said)  # the customer has not answered
    worker, recording = scene.worker, new_id("rec", entropy)
    async with untouched(scene.out):
        for generation in (0, 1):
            for party in (agent, customer):
                code = await worker.wire.refused(
                    "worker.leg.offer",
                    recording=recording,
                    generation=generation,
                    party=party.id,
                    sdp=offer(worker.fingerprint),
                )
                assert code == "grant.stale"
        await customer.wire.settle()
        assert not [said for said in customer.wire.heard if said["type"].startswith("leg.")]


async def test_an_older_generation(scene: Scene) -> None:
    _, customer, _ = await scene.recording()
    worker, old, after = scene.worker, scene.worker.grant, len(scene.worker.wire.heard)
    await customer.wire.socket.close()
    await worker.wire.hear("recorder.close", after=after)
    wire = await customer.join()
    new = await worker.granted(after)
    assert (new.recording, new.generation) == (old.recording, old.generation + 2)
    late = worker.sealed(customer, generation=old.generation)
    async with untouched(scene.out):
        for generation in (old.generation, old.generation + 1, new.generation + 1):
            code = await worker.wire.refused(
                "worker.leg.offer",
                recording=old.recording,
                generation=generation,
                party=customer.id,
                sdp=offer(worker.fingerprint),
            )
            assert code == "grant.stale"
        await wire.settle()
        assert not [said for said in wire.heard if said["type"].startswith("leg.")]
    said = await worker.line(late)
    assert (said["type"], said["code"]) == ("recorder.refused", "segment.refused")
    assert not worker.spooled(late.track, late.index).exists()


async def test_a_leg_offered_with_another_fingerprint(scene: Scene) -> None:
    _, customer, _ = await scene.recording()
    worker, grant = scene.worker, scene.worker.grant
    async with untouched(scene.out):
        code = await worker.wire.refused(
            "worker.leg.offer",
            recording=grant.recording,
            generation=grant.generation,
            party=customer.id,
            sdp=offer(":".join(["AB"] * 32)),
        )
        assert code == "sdp.refused"
        await customer.wire.settle()
        assert not [said for said in customer.wire.heard if said["type"].startswith("leg.")]


async def test_a_leg_answered_by_someone_else(scene: Scene) -> None:
    _, stranger = await scene.out.call(scene.agent)
    await scene.recording()
    worker, grant = scene.worker, scene.worker.grant
    heard = len(worker.wire.heard)
    named = {"recording": grant.recording, "generation": grant.generation}
    answer = (SDP / "chromium-answer.sdp").read_text()
    async with untouched(scene.out):
        assert await stranger.wire.refused("leg.answer", sdp=answer, **named) == "grant.stale"
        assert await stranger.wire.refused("leg.trickle", candidate="", **named) == "grant.stale"
        assert await stranger.wire.refused("leg.failed", reason="x", **named) == "grant.stale"
        await worker.settle()
        assert not [m for m in worker.wire.heard[heard:] if m["type"].startswith("recorder.leg")]


async def test_a_segment_sent_after_closing(scene: Scene) -> None:
    _, customer, request = await scene.recording()
    worker = scene.worker
    after = len(worker.wire.heard)
    assert (await customer.wire.ask("consent.withdraw", request=request))["type"] == "ack"
    assert (await worker.wire.hear("recorder.close", after=after))["final"]
    late = worker.sealed(customer, captured_ms=now_ms() + 1)
    kept = scene.out.product.rows("select * from segment")
    said = await worker.line(late)
    assert (said["type"], said["code"]) == ("recorder.refused", "segment.refused")
    assert not worker.spooled(late.track, late.index).exists()
    assert scene.out.product.rows("select * from segment") == kept
    assert any(isinstance(entry, Sealed) and entry.index == late.index for entry in worker.chain)


# --- strangers and foreign pages


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null", "https://localhost"])
async def test_a_foreign_or_missing_origin(scene: Scene, origin: str | None) -> None:
    async with untouched(scene.out):
        with pytest.raises(InvalidStatus) as refused:
            await scene.out.wire(origin=None if origin is None else Origin(origin))
        assert refused.value.response.status_code == 403
        assert b'"origin.refused"' in (refused.value.response.body or b"")
        headers = {"Origin": origin or ""}
        for path in ("/api/sessions", "/api/sign-out", "/api/join", "/api/my-data"):
            status, body, _ = await scene.out.request(
                "POST", path, json={}, headers=headers, cookie=scene.agent
            )
            assert (status, body["code"]) == (403, "origin.refused")


async def test_a_used_ticket(scene: Scene) -> None:
    agent, _ = await scene.out.call(scene.agent)
    ticket = await agent.ticket()
    first = await scene.out.wire()
    await first.say("hello", ticket=ticket, build="none")
    await first.hear("welcome")
    async with untouched(scene.out):
        for guess in (ticket, "A" * 43, ""):
            wire = await scene.out.wire()
            await wire.say("hello", ticket=guess, build="none")
            await wire.hear("error", code="ticket.refused")
            await wire.hear("closed", code=1008)
            assert not [said for said in wire.heard if said["type"] == "welcome"]
    await first.settle()


async def test_another_sessions_recording(scene: Scene) -> None:
    _, stranger = await scene.out.call(scene.agent)
    _, _, request = await scene.recording()
    recording = scene.worker.grant.recording
    async with untouched(scene.out):
        for kind in ("consent.withdraw", "recording.stop", "consent.refuse"):
            said = await stranger.wire.ask(kind, request=request)
            assert said["code"] == "consent.request_over"
        said = await stranger.wire.ask("consent.fate", request=request, fate="destroy")
        assert said["code"] == "consent.request_over"
        body = {"secret": stranger.data_secret, "request": request, "fate": "destroy", "key": key()}
        status, answer = await scene.out.post("/api/my-data/withdraw", body)
        assert (status, answer["code"]) == (409, "consent.request_over")
        opening = {"reason": "curious", "purpose": "quality"}
        path = f"/api/admin/recordings/{recording}/open"
        for cookie, expected in ((scene.agent, 403), (stranger.cookie, 401), ("", 401)):
            status, _ = await scene.out.post(path, opening, cookie=cookie)
            assert status == expected
