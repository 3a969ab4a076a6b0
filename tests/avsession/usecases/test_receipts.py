"""Receipts of what really happened: each verifies, and each is its party's own."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from avsession.audit import receipt as receipts
from avsession.audit.receipt import Receipt
from avsession.errors import NotFound, ReceiptInvalid, TooMany, Unavailable
from avsession.records import Certificate, ConsentEvent, Detail
from avsession.usecases import limits
from avsession.usecases import receipts as usecase
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World


async def of(world: World, person: Person, kind: str) -> Receipt:
    event = await world.only(ConsentEvent, kind=kind, party=person.id)
    made = await usecase.of_event(world.app, person.id, event.id)
    verdict = receipts.verify(receipts.render(made).encode(), world.app.notary.key)
    assert verdict.holds, [step for step in verdict.steps if step.holds is False]
    return made


async def test_the_moment_somebody_allows_there_is_a_receipt(world: World) -> None:
    await world.ask("quality", "evidence")
    await world.allow(world.customer, "evidence", language="de")
    made = await of(world, world.customer, "given")
    assert made.language == "de"
    assert made.notice is not None
    assert "aufgezeichnet" in made.notice.text
    page = receipts.render(made)
    assert "Beleg" in page
    assert world.settings.controller.name in page
    assert made.privacy == f"{world.settings.origin}/privacy"


async def test_withdrawing_and_declining_have_theirs(world: World) -> None:
    request = await world.record()
    await world.withdraw(world.customer, request)
    made = await of(world, world.customer, "withdrawn")
    assert made.notice is not None, "what was withdrawn from"
    other = await world.ask()
    await world.decline(world.agent, other)
    assert (await of(world, world.agent, "refused")).notice is None


async def test_a_withdrawal_without_a_signature_has_one_too(world: World) -> None:
    request = await world.record()
    person = world.customer
    person.signer.key = "a" * 64
    await world.withdraw(person, request)
    made = await of(world, person, "withdrawn")
    verdict = receipts.verify(receipts.render(made).encode(), world.app.notary.key)
    (signature,) = [step for step in verdict.steps if step.name == "signature"]
    assert signature.holds is None
    assert "did not sign" in signature.detail


async def test_a_party_that_asks_again_and_again_waits(world: World) -> None:
    await world.record()
    events = {
        person.id: (await world.only(ConsentEvent, kind="given", party=person.id)).id
        for person in (world.customer, world.agent)
    }
    for _ in range(limits.RECEIPT_BURST):
        await usecase.of_event(world.app, world.customer.id, events[world.customer.id])
    with pytest.raises(TooMany):
        await usecase.of_event(world.app, world.customer.id, events[world.customer.id])
    with pytest.raises(TooMany):
        await usecase.of_certificate(world.app, world.customer.id, "cer_" + "a" * 26)
    await usecase.of_event(world.app, world.agent.id, events[world.agent.id])
    world.clock.forward(limits.RECEIPT_EVERY_MS / 1000)
    await usecase.of_event(world.app, world.customer.id, events[world.customer.id])


async def test_the_address_is_the_events_own(world: World) -> None:
    """Also after the service has moved: the log covers the one that the party was told."""
    await world.record()
    made = await of(world, world.customer, "given")
    assert made.privacy == made.document["privacy"] == f"{world.app.settings.origin}/privacy"


async def test_nobody_elses(world: World) -> None:
    await world.record()
    for person, other in ((world.agent, world.customer), (world.customer, world.agent)):
        event = await world.only(ConsentEvent, kind="given", party=other.id)
        with pytest.raises(NotFound):
            await usecase.of_event(world.app, person.id, event.id)
    asked = await world.only(ConsentEvent, kind="requested")
    for party, event_id in (
        (world.agent.id, asked.id),
        (world.agent.id, "evt_" + "a" * 26),
        ("pty_" + "a" * 26, asked.id),
    ):
        with pytest.raises(NotFound):
            await usecase.of_event(world.app, party, event_id)


async def test_what_was_destroyed_has_one_for_both(world: World) -> None:
    """Also for whoever did not decide it, each in its own language; a stranger has none."""
    await world.sealed()
    request = world.recorder.grant.request
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    row = await world.only(Certificate)
    for person in (world.customer, world.agent):
        made = await usecase.of_certificate(world.app, person.id, row.id)
        verdict = receipts.verify(receipts.render(made).encode(), world.app.notary.key)
        assert verdict.holds, verdict.steps
        assert (made.kind, made.document) == ("erased", row.document)
    _, stranger = await world.new_call(world.staff)
    for party, certificate in (
        (stranger.id, row.id),
        (world.customer.id, "cer_" + "a" * 26),
        ("pty_" + "a" * 26, row.id),
    ):
        with pytest.raises(NotFound):
            await usecase.of_certificate(world.app, party, certificate)


async def test_what_the_agent_or_the_server_destroyed_has_one_too(world: World) -> None:
    await world.sealed("quality")
    request = world.recorder.grant.request
    await world.withdraw(world.agent, request)
    await world.choose(world.agent, request, "destroy")
    mine = await world.only(Certificate)
    await world.later(31 * 86_400)
    async with world.store.read() as tx:
        rows = await tx.find(Certificate, order="decided_ms")
    assert [(row.whole, row.reason) for row in rows] == [
        (False, "withdrawn"), (True, "retention"),
    ]  # fmt: skip
    assert rows[0].id == mine.id
    for row in rows:
        made = await usecase.of_certificate(world.app, world.customer.id, row.id)
        assert receipts.verify(receipts.render(made).encode(), world.app.notary.key).holds


async def test_none_of_what_is_not_destroyed_yet(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request

    async def stuck(prefix: str) -> int:
        raise Unavailable

    world.app.objects.remove = stuck  # type: ignore[method-assign]
    await world.withdraw(world.customer, request)
    await world.choose(world.customer, request, "destroy")
    row = await world.only(Certificate)
    with pytest.raises(NotFound):
        await usecase.of_certificate(world.app, world.customer.id, row.id)


async def test_none_after_the_details_were_erased(world: World) -> None:
    await world.record()
    event = await world.only(ConsentEvent, kind="given", party=world.customer.id)
    async with world.store.write() as tx:
        await tx.remove(Detail, party=world.customer.id)
    with pytest.raises(NotFound):
        await usecase.of_event(world.app, world.customer.id, event.id)


async def test_none_that_would_not_verify(world: World) -> None:
    """A database that was changed afterwards hands out no receipt."""
    await world.record()
    event = await world.only(ConsentEvent, kind="given", party=world.customer.id)
    async with world.store.write() as tx:
        await tx.put(replace(event, document=event.document | {"legal_basis": "because"}))
    with pytest.raises(ReceiptInvalid, match="document"):
        await usecase.of_event(world.app, world.customer.id, event.id)
