"""Keys of the parties' browsers: opening needs a signature that holds, closing never does."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from avsession import signed
from avsession.canonical import b64, commitment
from avsession.errors import ConsentRequired, SignatureInvalid, TooMany
from avsession.messages import EnrolKey, RefuseConsent, Welcome, WithdrawConsent
from avsession.records import ConsentEvent, Detail, GrantRecord, Leaf, PartyKey
from avsession.signed import Signed
from avsession.usecases import capture, consent, keys, mydata
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World
from tests.support.signer import Signer


def fresh(person: Person) -> Signer:
    """Another key under the same party's name, as a server could make one."""
    return Signer(person.party.session, person.id)


async def enrol(world: World, person: Person, signer: Signer, challenge: str = "") -> None:
    said = signer.enrolment(challenge or keys.challenge(world.app, person.id))
    await keys.enrol(world.app, person.id, EnrolKey(**said, key=world.key()))


def block(event: ConsentEvent) -> dict[str, Any]:
    found: Any = event.document["signature"]
    assert isinstance(found, dict)
    return found


# --- enrolling


async def test_a_page_enrols_its_key_with_a_leaf_that_names_it(world: World) -> None:
    signer = fresh(world.customer)
    await enrol(world, world.customer, signer)
    (leaf,) = [one for one in await world.leaves() if one["refs"].get("key") == signer.key]
    assert leaf["kind"] == "key.created"
    assert leaf["subject"] == world.customer.party.pseudonym
    detail = await world.only(Detail, leaf=leaf["index"], field="enrolment")
    assert detail.party == world.customer.id
    value = json.loads(detail.value)
    assert leaf["commitments"]["enrolment"] == commitment(detail.salt, "enrolment", value)
    key = await world.only(PartyKey, id=signer.key)
    assert (key.party, key.public_key, key.leaf) == (
        world.customer.id, signer.public_key, leaf["index"],
    )  # fmt: skip


async def test_the_same_key_again_changes_nothing(world: World) -> None:
    leaves = len(await world.leaves())
    await enrol(world, world.customer, world.customer.signer)
    assert len(await world.leaves()) == leaves
    # nor does coming back
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    assert "key.created" not in await world.story()


async def test_a_reload_enrols_another(world: World) -> None:
    first = world.customer.signer
    world.customer.signer = fresh(world.customer)
    await world.connect(world.customer)
    assert world.customer.last(Welcome).challenge
    await world.ask()
    await world.allow(world.customer)
    event = await world.only(ConsentEvent, kind="given")
    assert block(event)["statement"]["key"] == world.customer.signer.key != first.key


@pytest.mark.parametrize("what", ["public_key", "challenge", "proof"])
async def test_an_enrolment_without_its_proof(world: World, what: str) -> None:
    signer = fresh(world.customer)
    said = signer.enrolment(keys.challenge(world.app, world.customer.id))
    other = fresh(world.agent).enrolment(keys.challenge(world.app, world.agent.id))
    for wrong in ("", "x", "1.x", "é" * 80, other[what]):
        message = EnrolKey(**(said | {what: wrong}), key=world.key())
        with pytest.raises(SignatureInvalid):
            await keys.enrol(world.app, world.customer.id, message)
    assert not await world.find(PartyKey, id=signer.key)


async def test_a_challenge_is_the_partys_own_and_of_now(world: World) -> None:
    signer = fresh(world.customer)
    with pytest.raises(SignatureInvalid):
        await enrol(world, world.customer, signer, keys.challenge(world.app, world.agent.id))
    old = keys.challenge(world.app, world.customer.id)
    at_ms, _, mark = old.partition(".")
    with pytest.raises(SignatureInvalid):
        await enrol(world, world.customer, signer, f"{int(at_ms) + 1}.{mark}")
    world.clock.forward(keys.CHALLENGE_MS / 1000)
    await enrol(world, world.customer, signer, old)
    world.clock.forward(0.001)
    with pytest.raises(SignatureInvalid):
        await enrol(world, world.customer, fresh(world.customer), old)


async def test_a_proof_for_another_party_or_session_is_none(world: World) -> None:
    for session, party in (
        (world.session, world.agent.id),
        ("ses_" + "a" * 26, world.customer.id),
    ):
        with pytest.raises(SignatureInvalid):
            await enrol(world, world.customer, Signer(session, party))


async def test_a_key_has_one_party(world: World) -> None:
    stolen = world.agent.signer
    mine = Signer(world.session, world.customer.id)
    mine.private, mine.public_key, mine.key = stolen.private, stolen.public_key, stolen.key
    with pytest.raises(SignatureInvalid):
        await enrol(world, world.customer, mine)


async def test_a_party_has_only_so_many(world: World) -> None:
    for _ in range(keys.MAX_KEYS - 1):
        await enrol(world, world.customer, fresh(world.customer))
    with pytest.raises(TooMany):
        await enrol(world, world.customer, fresh(world.customer))


# --- giving


async def test_a_given_holds_what_its_party_signed(world: World) -> None:
    request = await world.ask("quality", "evidence")
    await world.allow(world.customer, "evidence", language="de")
    event = await world.only(ConsentEvent, kind="given")
    said = block(event)
    assert (said["status"], said["algorithm"]) == ("valid", "ES256")
    statement = msgspec.convert(said["statement"], signed.Statement)
    assert (statement.action, statement.request) == ("give", request)
    assert (statement.purposes, statement.language) == (("evidence",), "de")
    assert (statement.party, statement.session) == (world.customer.id, world.session)
    data = signed.statement_bytes(statement)
    signed.verify(said["public_key"], said["signature"], data)
    leaf = await world.only(Leaf, index=event.leaf)
    assert json.loads(leaf.data)["refs"]["key"] == signed.key_id(said["public_key"])


WINDOW_S = signed.WINDOW_MS / 1000


async def test_without_a_signature_that_holds_nothing_is_given(world: World) -> None:
    await world.ask("quality", "evidence")
    good = await world.allowing("quality")
    said = good.signed
    assert said is not None
    unknown = fresh(world.customer).sign(
        world.clock.now_ms(), action="give", request=good.request, notice=good.notice,
        language="en", purposes=("quality",),
    )  # fmt: skip
    refusal = world.signed(world.customer, "refuse", good.request)
    wrong: list[Signed | None] = [
        None,
        unknown,
        refusal,
        world.signed(world.agent, "give", good.request, notice=good.notice, language="en",
                     purposes=("quality",)),
        msgspec.structs.replace(said, signature=said.signature[:-2] + "AA"),
        msgspec.structs.replace(said, signature=""),
        msgspec.structs.replace(said, time="2025-06-15T15:06:40.777Z"),
        msgspec.structs.replace(said, time="now"),
        msgspec.structs.replace(said, key="\0"),
        msgspec.structs.replace(said, key=world.agent.signer.key),
    ]  # fmt: skip
    messages = [msgspec.structs.replace(good, signed=one, key=world.key()) for one in wrong]
    german = (await world.allowing(language="de")).notice
    messages += [
        msgspec.structs.replace(good, purposes=("quality", "evidence")),
        msgspec.structs.replace(good, purposes=("evidence",)),
        msgspec.structs.replace(good, notice=german, language="de"),
    ]
    before, leaves = await world.state(), len(await world.leaves())
    for message in messages:
        with pytest.raises(SignatureInvalid):
            await consent.give(world.app, world.customer.id, message)
    assert (await world.state(), len(await world.leaves())) == (before, leaves)
    await consent.give(world.app, world.customer.id, good)


@pytest.mark.parametrize("seconds", [-WINDOW_S - 1, WINDOW_S + 1])
async def test_a_consent_from_another_time(world: World, seconds: float) -> None:
    await world.ask()
    world.clock.forward(seconds)
    message = await world.allowing()
    world.clock.forward(-seconds)
    with pytest.raises(SignatureInvalid):
        await consent.give(world.app, world.customer.id, message)


# --- the domain's lock, with a database that lies


async def forge(world: World, request: str, changes: dict[str, Any]) -> None:
    given = await world.only(ConsentEvent, kind="given", request=request, party=world.customer.id)
    document = dict(given.document) | {"signature": block(given) | changes}
    async with world.store.write() as tx:
        await tx.put(msgspec.structs.replace(given, document=document))


@pytest.mark.parametrize(
    "changes", [{"status": "missing"}, {"signature": b64(bytes(64))}, {"public_key": "A" * 87}]
)
async def test_no_grant_stands_on_a_forged_consent(world: World, changes: dict[str, Any]) -> None:
    request = await world.ask()
    await world.allow(world.agent)
    await world.allow(world.customer)  # no recorder yet: everyone waits
    assert world.live() is None
    await forge(world, request, changes)
    await world.recorder.join()
    with pytest.raises(ConsentRequired):
        await capture.open_gate(world.app, world.session)
    assert world.live() is None
    assert not await world.find(GrantRecord)


# --- closing


BAD = [
    None,
    Signed(key="", time="", signature=""),
    Signed(key="a" * 64, time="now", signature="\0" * 70_000),
    Signed(key="'; drop table party;", time="2025-06-15T15:06:40.000Z", signature="x"),
]


@pytest.mark.parametrize("bad", BAD)
async def test_withdrawing_needs_no_signature(world: World, bad: Signed | None) -> None:
    request = await world.record()
    message = WithdrawConsent(request=request, key=world.key(), signed=bad)
    await consent.withdraw(world.app, world.customer.id, message)
    assert world.live() is None
    event = await world.only(ConsentEvent, kind="withdrawn")
    assert block(event)["status"] == ("missing" if bad is None else "invalid")
    leaf = await world.only(Leaf, index=event.leaf)
    assert json.loads(leaf.data)["refs"]["key"] is None
    assert "given" not in {seat.answer for seat in (await world.state()).seats}


async def test_withdrawing_late_or_with_anothers_key_says_why(world: World) -> None:
    request = await world.record()
    late = world.signed(world.customer, "withdraw", request)
    world.clock.forward(WINDOW_S + 1)
    message = WithdrawConsent(request=request, key=world.key(), signed=late)
    await consent.withdraw(world.app, world.customer.id, message)
    event = await world.only(ConsentEvent, kind="withdrawn")
    assert (block(event)["status"], block(event)["reason"]) == ("invalid", "time")
    theirs = world.signed(world.customer, "withdraw", request)
    message = WithdrawConsent(request=request, key=world.key(), signed=theirs)
    await consent.withdraw(world.app, world.agent.id, message)
    event = await world.only(ConsentEvent, kind="withdrawn", party=world.agent.id)
    assert block(event)["reason"] == "unknown_key"


async def test_a_signed_withdrawal_is_recorded_as_such(world: World) -> None:
    request = await world.record()
    await world.withdraw(world.customer, request)
    said = block(await world.only(ConsentEvent, kind="withdrawn"))
    assert (said["status"], said["statement"]["action"]) == ("valid", "withdraw")


@pytest.mark.parametrize("bad", BAD[:2])
async def test_declining_needs_no_signature(world: World, bad: Signed | None) -> None:
    request = await world.ask()
    message = RefuseConsent(request=request, key=world.key(), signed=bad)
    await consent.refuse(world.app, world.customer.id, message)
    assert block(await world.only(ConsentEvent, kind="refused"))["status"] != "valid"


# --- after the call


async def test_a_key_made_by_the_private_link(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    data = await mydata.my_data(world.app, world.customer.data_secret)
    assert data["signing"]["party"] == world.customer.id
    signer = fresh(world.customer)
    await mydata.withdraw(
        world.app, world.customer.data_secret, request, None, world.key(),
        signed.Enrolment(**signer.enrolment(data["signing"]["challenge"])),
        signer.sign(world.clock.now_ms(), action="withdraw", request=request),
    )  # fmt: skip
    said = block(await world.only(ConsentEvent, kind="withdrawn"))
    assert (said["status"], said["statement"]["key"]) == ("valid", signer.key)


async def test_the_private_link_needs_no_key(world: World) -> None:
    await world.sealed()
    request = world.recorder.grant.request
    nonsense = signed.Enrolment(public_key="x", challenge="x", proof="x")
    await mydata.withdraw(
        world.app, world.customer.data_secret, request, None, world.key(), nonsense, BAD[1]
    )
    assert block(await world.only(ConsentEvent, kind="withdrawn"))["status"] == "invalid"
