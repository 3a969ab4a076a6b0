"""A private link by a receipt: only one that holds, of one's own words, a few times, logged."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from avsession.audit import receipt
from avsession.canonical import canonical
from avsession.errors import LinkSpent, NotFound, ReceiptInvalid, TooMany
from avsession.records import Certificate, ConsentEvent
from avsession.usecases import erasing, mydata, receipts, recovery, sessions, waysin
from avsession.usecases.limits import RECOVERY_BURST
from tests.avsession.usecases.test_typed import verified
from tests.avsession.usecases.world import CUSTOMER_NAME, World

ADDRESS = "203.0.113.5"
ANOTHER = Path(__file__).parents[2] / "vectors" / "receipt-given-en.html"


async def saved(world: World, kind: str = "given") -> bytes:
    """The customer's receipt of what they said, as its file."""
    (event,) = await world.find(ConsentEvent, party=world.customer.id, kind=kind)
    made = await receipts.of_event(world.app, world.customer.id, event.id)
    return receipt.render(made).encode()


async def test_a_receipt_opens_a_fresh_link_and_the_old_one_ends(world: World) -> None:
    await world.sealed()
    data = await saved(world)
    await world.story()
    fresh = await recovery.by_receipt(world.app, data, ADDRESS)
    mine = await mydata.my_data(world.app, fresh)
    assert mine["name"] == CUSTOMER_NAME
    assert mine["links"] == [world.clock.now_ms()], "the person sees that it was done"
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, world.customer.data_secret)
    assert await world.story() == "access.granted"
    leaf = (await world.leaves())[-1]
    assert (leaf["refs"]["what"], leaf["refs"]["method"]) == ("private_link", "receipt")


@pytest.mark.parametrize("kind", ["refused", "withdrawn"])
async def test_a_no_counts_as_much_as_a_yes(world: World, kind: str) -> None:
    if kind == "refused":
        await world.decline(world.customer, await world.ask())
    else:
        await world.withdraw(world.customer, await world.record())
    assert await recovery.by_receipt(world.app, await saved(world, kind), ADDRESS)


def forged(data: bytes, **changed: Any) -> bytes:
    fields = json.loads(canonical(receipt.read(data)))
    fields["document"] |= changed
    return receipt.render(msgspec.convert(fields, receipt.Receipt)).encode()


async def test_what_does_not_hold_opens_nothing_and_is_written_down(world: World) -> None:
    await world.sealed()
    data = await saved(world)
    other = world.agent.party.pseudonym
    await world.story()
    for wrong in (b"", b"\xff", b"<html>", data[:-1], forged(data, data_subject=other)):
        with pytest.raises(ReceiptInvalid):
            await recovery.by_receipt(world.app, wrong, ADDRESS)
    assert await mydata.my_data(world.app, world.customer.data_secret)
    assert await world.story() == "access.denied"


async def test_another_logs_receipt_opens_nothing(world: World) -> None:
    with pytest.raises(ReceiptInvalid):
        await recovery.by_receipt(world.app, ANOTHER.read_bytes(), ADDRESS)


async def test_a_certificate_is_nobodys_own(world: World) -> None:
    """Both parties have it: it does not say which of them asks."""
    await world.sealed()
    await world.withdraw(world.customer, world.recorder.grant.request)
    await world.choose(world.customer, world.recorder.grant.request, "destroy")
    row = await world.only(Certificate)
    made = await receipts.of_certificate(world.app, world.customer.id, row.id)
    with pytest.raises(ReceiptInvalid, match="allowed"):
        await recovery.by_receipt(world.app, receipt.render(made).encode(), ADDRESS)


async def test_of_somebody_who_was_erased_nothing_opens(world: World) -> None:
    await world.sealed()
    data = await saved(world)
    await sessions.end_session(world.app, world.session, "test")
    await erasing.by_holder(world.app, world.customer.data_secret)
    with pytest.raises(NotFound):
        await recovery.by_receipt(world.app, data, ADDRESS)


async def test_a_few_tries_of_an_address_and_of_a_party(world: World) -> None:
    await world.sealed()
    data = await saved(world)
    for n in range(RECOVERY_BURST):
        await recovery.by_receipt(world.app, data, f"198.51.100.{n}")
    with pytest.raises(TooMany):
        await recovery.by_receipt(world.app, data, "198.51.100.99")
    for _ in range(RECOVERY_BURST):
        with pytest.raises(ReceiptInvalid):
            await recovery.by_receipt(world.app, b"junk", ADDRESS)
    with pytest.raises(TooMany):
        await recovery.by_receipt(world.app, data, ADDRESS)
    world.clock.forward(600)
    await recovery.by_receipt(world.app, data, ADDRESS)


async def test_a_file_that_is_far_too_long_is_not_read(world: World) -> None:
    with pytest.raises(ReceiptInvalid, match="too long"):
        await recovery.by_receipt(world.app, b"x" * (recovery.MAX_RECEIPT + 1), ADDRESS)


async def test_a_person_shuts_receipts_out_and_lets_them_in_again(world: World) -> None:
    await world.sealed()
    data, secret = await saved(world), world.customer.data_secret
    await world.story()
    for _ in range(2):  # a repeat changes nothing
        assert await waysin.close(world.app, secret, closed=True) == {"receipts": "closed"}
    assert await world.story() == "access.revoked"
    assert (await mydata.my_data(world.app, secret))["receipts"] == "closed"
    with pytest.raises(recovery.ReceiptClosed):
        await recovery.by_receipt(world.app, data, ADDRESS)
    assert await world.story() == "access.denied"
    agent = await mydata.renew_link(world.app, world.agent.party)
    assert await world.story() == "access.granted", "a link of the agent's"
    assert (await mydata.my_data(world.app, agent))["receipts"] == "open", "their own alone"
    assert await waysin.close(world.app, secret, closed=False) == {"receipts": "open"}
    assert await world.story() == "access.granted"
    assert await recovery.by_receipt(world.app, data, ADDRESS)
    assert (await verified(world)).ok


async def test_shutting_out_again_and_again_is_limited(world: World) -> None:
    async def again_and_again() -> None:
        for n in range(1000):
            await waysin.close(world.app, world.customer.data_secret, closed=n % 2 == 0)

    with pytest.raises(TooMany):
        await again_and_again()
