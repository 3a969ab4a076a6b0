"""A person is erased: nothing leads to them any more, and every proof still verifies."""

import base64
import json
import logging
from collections.abc import Callable

import pytest

from avsession.audit import absence, proof
from avsession.canonical import canonical, commitment
from avsession.errors import Conflict, Held, LinkSpent, NotFound, SessionLive, Unavailable
from avsession.logs import QUIET
from avsession.recording import State
from avsession.records import (
    Certificate,
    ConsentEvent,
    Detail,
    Leaf,
    PrivacyRequest,
    Recording,
    RecordingRequest,
    Restriction,
    SegmentRecord,
    TrackRecord,
    Withdrawal,
)
from avsession.session import Party, Session
from avsession.storage.tables import TABLES
from avsession.usecases import evidence, forgetting, holds, mydata, review, sessions
from avsession.usecases.forgetting import forget
from avsession.usecases.tokens import secret_hash
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, World
from tests.support.engines import chosen, stored

REASON = "Kundig complains about his invoice"
DAY_MS = 86_400_000
LONG = 12
"""Bytes of a word of which enough is left inside base64 to be found by."""


async def told(world: World) -> str:
    """A call with everything in it, until its end; the recording."""
    await world.decline(world.customer, await world.ask())
    recording = await world.sealed("quality", seconds=2)
    await review.open_recording(world.app, world.admin, recording, REASON, "quality")
    await hold_and_release(world, recording)
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    await sessions.end_session(world.app, world.session, "test")
    return recording


async def hold_and_release(world: World, recording: str) -> None:
    for scope, target in (("recording", recording), ("party", world.customer.id)):
        placed = await holds.place(
            world.app,
            world.admin,
            scope=scope,  # type: ignore[arg-type]
            target=target,
            category="claim",
            reason=REASON,
            asked_by="Kundig's lawyer",
            review_ms=world.clock.now_ms() + DAY_MS,
        )
        await holds.release(world.app, world.admin, placed["hold"], "Kundig gave in")


def forms(word: bytes) -> list[bytes]:
    """The word as it is, in hex, and inside base64 whatever stands before it."""
    found = [word, word.hex().encode()]
    for before in range(3) if len(word) > LONG else ():
        encoded = base64.urlsafe_b64encode(bytes(before) + word)
        found.append(encoded[4 if before else 0 : -4])
    return found


def where(world: World, words: list[bytes]) -> set[str]:
    """The files of the deployment in which any of the words stands, in any form.

    On PostgreSQL, whose files are not ours, the database's rows stand for them.
    """
    places = {path.name: path.read_bytes() for path in world.folder.rglob("*") if path.is_file()}
    places |= stored(world.folder)
    return {
        name
        for name, data in places.items()
        if any(form in data for word in words for form in forms(word))
    }


async def traces(world: World, person: Person, secrets: tuple[str, ...]) -> list[bytes]:
    """Everything that leads to this person: names, identifiers, secrets' hashes, salts."""
    words = [person.party.name.encode(), person.id.encode()]
    words += [word.encode() for word in person.party.name.split()]
    words += [secret.encode() for secret in secrets]
    words += [secret_hash(secret) for secret in secrets]
    details = await world.find(Detail, party=person.id)
    words += [detail.salt for detail in details]
    words += [canonical(REASON), b"Kundig's lawyer", b"Kundig gave in"]
    return words


async def test_no_file_leads_to_them_any_more(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in QUIET:  # as the product has it, whatever level is set
        caplog.set_level(logging.WARNING, name)
    await told(world)
    secrets = (world.customer.data_secret, world.invitation)
    words = await traces(world, world.customer, secrets)
    assert len(words) > 10
    before = where(world, words)
    newest = "avsession.db-wal" if chosen() == "sqlite" else "rows"
    assert {newest, "manifest.jsonl"} <= before, "or this finds nothing, whatever is left"
    await forget(world.app, world.customer.id)
    assert where(world, words) == set()
    assert not [word for word in words for form in forms(word) if form in caplog.text.encode()]
    await world.close()
    assert where(world, words) == set(), "nor after the database was closed"
    await world.start()


async def test_every_proof_still_verifies_and_the_leaves_are_untouched(world: World) -> None:
    await told(world)
    await evidence.checkpoint(world.app)
    old = {row.index: row.data for row in await world.find(Leaf)}
    proofs = [await evidence.proof(world.app, index) for index in old]
    await forget(world.app, world.customer.id)
    now = {row.index: row.data for row in await world.find(Leaf)}
    assert {index: now[index] for index in old} == old
    proofs += [await evidence.proof(world.app, index) for index in now]
    for one in proofs:
        assert proof.verify(one, world.app.notary.key).size > one.index
    extended = await evidence.consistency(world.app, len(old))
    assert extended.checkpoint.size >= len(now)


async def test_a_commitment_cannot_be_opened_without_its_salt(world: World) -> None:
    """Even by who knows the value; but who kept value and salt, as a receipt does, still can."""
    await told(world)
    kept = next(d for d in await world.find(Detail, party=world.customer.id) if d.field == "name")
    await forget(world.app, world.customer.id)
    assert not await world.find(Detail, party=world.customer.id)
    said = json.loads((await world.only(Leaf, index=kept.leaf)).data)["commitments"]["name"]
    left = {detail.salt for detail in await world.find(Detail)}
    guesses = [*left, bytes(32), b"", b"\xff" * 32]
    assert said not in {commitment(salt, "name", CUSTOMER_NAME) for salt in guesses}
    assert said == commitment(kept.salt, "name", CUSTOMER_NAME)


async def details_and_leaves(world: World) -> list[absence.Fault]:
    leaves = [row.data for row in await world.find(Leaf, order="index")]
    there = [(row.leaf, row.field) for row in await world.find(Detail)]
    return absence.faults(leaves, there)


async def test_the_log_says_what_may_be_missing_and_the_rest_is_found(world: World) -> None:
    await told(world)
    assert await details_and_leaves(world) == []
    await forget(world.app, world.customer.id)
    assert await details_and_leaves(world) == []
    stolen = next(d for d in await world.find(Detail, party=world.agent.id))
    async with world.store.write() as tx:
        await tx.remove(Detail, leaf=stolen.leaf, field=stolen.field)
    assert await details_and_leaves(world) == [absence.Fault(stolen.leaf, stolen.field, "missing")]


async def test_details_taken_away_without_an_erasure_are_found(world: World) -> None:
    await told(world)
    gone = await world.find(Detail, party=world.customer.id)
    async with world.store.write() as tx:
        await tx.remove(Detail, party=world.customer.id)
    assert {(f.leaf, f.field, f.what) for f in await details_and_leaves(world)} == {
        (row.leaf, row.field, "missing") for row in gone
    }


async def test_the_other_party_keeps_everything_that_is_theirs(world: World) -> None:
    await told(world)
    link = await renewed(world, world.agent)
    before = await mydata.my_data(world.app, link)
    own = await world.find(Detail, party=world.agent.id)
    documents = [e.document for e in await world.find(ConsentEvent, party=world.agent.id)]
    await forget(world.app, world.customer.id)
    after = await mydata.my_data(world.app, link)
    for same in ("name", "role", "session", "events", "notices"):
        assert after[same] == before[same]
    assert [e.document for e in await world.find(ConsentEvent, party=world.agent.id)] == documents
    assert await world.find(Detail, party=world.agent.id) == own
    assert AGENT_NAME in [party.name for party in await world.find(Party)]


async def renewed(world: World, person: Person) -> str:
    async with world.store.read() as tx:
        fresh = await tx.get(Party, person.id)
    assert fresh is not None
    return await mydata.renew_link(world.app, fresh)


async def test_the_session_goes_on_with_somebody_without_a_name(world: World) -> None:
    await told(world)
    await forget(world.app, world.customer.id)
    story = await review.session(world.app, world.admin, world.session)
    (nobody,) = [p for p in story["parties"] if p["role"] == "customer"]
    assert (nobody["name"], nobody["language"]) == ("", "")
    assert nobody["party"] != world.customer.id
    kinds = [e["kind"] for e in story["events"] if e["party"] == nobody["party"]]
    assert kinds == ["refused", "given"], "that somebody said so stays"
    for event in story["events"]:
        document = await review.event(world.app, world.admin, event["event"])
        assert world.customer.party.pseudonym not in str(document)


async def test_a_customers_recording_goes_whole_with_its_certificate(world: World) -> None:
    recording = await told(world)
    await forget(world.app, world.customer.id)
    assert (await world.only(Recording, id=recording)).state is State.ERASED
    assert world.files("keys") == world.files("objects") == []
    row = await world.only(Certificate)
    assert (row.reason, row.whole, row.done_ms is None) == ("forgotten", True, False)
    assert "recording.erased subject.erased" in await world.story()


async def test_an_agent_takes_only_their_own_track_along(world: World) -> None:
    recording = await told(world)
    link = world.customer.data_secret
    before = await mydata.my_data(world.app, link)
    await forget(world.app, world.agent.id)
    assert (await world.only(Recording, id=recording)).state is State.SEALED
    theirs = await world.only(TrackRecord, party=world.customer.id)
    assert {row.track for row in await world.find(SegmentRecord)} == {theirs.id}
    await world.app.custody.unwrap(recording, theirs.id)
    after = await mydata.my_data(world.app, link)
    assert after["events"] == before["events"]
    opened = await review.open_recording(world.app, world.admin, recording, "quality", "quality")
    assert [track["role"] for track in opened["tracks"]] == ["customer"]
    assert (await world.only(Session)).created_by == ""
    assert await world.find(Party, account=world.staff.account) == []
    assert await details_and_leaves(world) == []


async def test_both_can_be_forgotten(world: World) -> None:
    await told(world)
    words = await traces(world, world.customer, (world.customer.data_secret,))
    words += await traces(world, world.agent, ())
    words = [word for word in words if word not in (b"Agnes", b"Amtmann", AGENT_NAME.encode())]
    await forget(world.app, world.agent.id)
    await forget(world.app, world.customer.id)
    assert where(world, words) == set()
    assert await details_and_leaves(world) == []


async def test_their_private_link_leads_nowhere(world: World) -> None:
    await told(world)
    await forget(world.app, world.customer.id)
    with pytest.raises(LinkSpent):
        await mydata.my_data(world.app, world.customer.data_secret)
    with pytest.raises(NotFound):
        await forget(world.app, world.customer.id)


async def test_not_while_the_call_goes_on(world: World) -> None:
    await world.sealed()
    with pytest.raises(SessionLive, match="call"):
        await forget(world.app, world.customer.id)
    assert (await world.only(Party, id=world.customer.id)).name == CUSTOMER_NAME
    assert "subject.erased" not in await world.story()


@pytest.mark.parametrize("scope", ["recording", "session", "party"])
async def test_not_while_a_hold_stands(world: World, scope: str) -> None:
    recording = await told(world)
    at = {"recording": recording, "session": world.session, "party": world.customer.id}[scope]
    placed = await holds.place(
        world.app, world.admin, scope=scope, target=at, category="duty", reason="the law",  # type: ignore[arg-type]
        asked_by="court", review_ms=world.clock.now_ms() + DAY_MS,
    )  # fmt: skip
    with pytest.raises(Held):
        await forget(world.app, world.customer.id)
    assert len(world.files("keys")) == 2
    await holds.release(world.app, world.admin, placed["hold"], "over now")
    await forget(world.app, world.customer.id)


async def test_not_while_the_agents_recording_is_being_finished(world: World) -> None:
    await world.recorded()
    await sessions.end_session(world.app, world.session, "test")
    with pytest.raises(Conflict):
        await forget(world.app, world.agent.id)
    await world.recorder.end()
    await forget(world.app, world.agent.id)


async def test_a_withdrawal_that_was_decided_does_not_come_back(world: World) -> None:
    await told(world)
    request = (await world.only(Recording)).request
    await mydata.withdraw(world.app, world.customer.data_secret, request, None, "k" * 32)
    await forget(world.app, world.customer.id)
    await world.later(1000)
    assert all(row.done for row in await world.find(Withdrawal))
    assert len(await world.find(Certificate)) == 1


class Crash(BaseException):
    """The process dies here."""


@pytest.mark.parametrize("step", range(5))
async def test_a_crash_on_the_way_loses_nothing_and_asking_again_mends_it(
    world: World, step: int
) -> None:
    """The process dies at its n-th commit, or (the last) at the scrub after it."""
    await told(world)
    words = await traces(world, world.customer, (world.customer.data_secret,))
    commits, scrubs = iter(range(99)), iter(range(99))
    scrub: Callable[[], object] = world.store.scrub

    async def commit() -> None:
        if next(commits) == step:
            raise Crash

    async def scrubbing() -> bool:
        if step >= 3 and next(scrubs) == step - 3:
            raise Crash
        return bool(await scrub())  # type: ignore[misc]

    world.store.before_commit = commit if step < 3 else None
    world.store.scrub = scrubbing  # type: ignore[method-assign]
    with pytest.raises(Crash):
        await forget(world.app, world.customer.id)
    await world.restart()
    await world.later(1)
    if await world.find(Party, id=world.customer.id):
        await forget(world.app, world.customer.id)
    assert where(world, words) == set()
    assert await details_and_leaves(world) == []
    kinds = [leaf["kind"] for leaf in await world.leaves()]
    assert (kinds.count("subject.erased"), kinds.count("recording.erased")) == (1, 1)


async def test_a_reader_in_the_way_of_the_scrub_only_delays_it(world: World) -> None:
    await told(world)
    words = await traces(world, world.customer, (world.customer.data_secret,))
    await world.later(1)
    scrub = world.store.scrub
    tries = iter([True, False])

    async def busy() -> bool:
        if next(tries):
            return await scrub()
        raise Unavailable

    world.store.scrub = busy  # type: ignore[method-assign]
    with pytest.raises(Unavailable):
        await forget(world.app, world.customer.id)
    world.store.scrub = scrub  # type: ignore[method-assign]
    await world.later(1)
    assert where(world, words) == set()


def test_every_table_that_names_a_party_is_thought_of() -> None:
    """One that comes later must be thought of here, or a person stays in it."""
    naming = {
        table.name
        for table in TABLES.values()
        for column in table.c
        if any(key.target_fullname == "party.id" for key in column.foreign_keys)
    }
    gone = {TABLES[kind].name for kind in forgetting.GOES}
    handed_over = {TABLES[k].name for k in (ConsentEvent, TrackRecord, Certificate, Withdrawal)}
    elsewhere = {TABLES[k].name for k in (PrivacyRequest, Restriction)}  # requests, restricting
    assert naming == gone | handed_over | elsewhere
    assert RecordingRequest in TABLES
