"""The log of a whole call, with everything in it: dense, committed, and silent about people."""

import json
import re

import pytest

from avsession.audit.log import KINDS
from avsession.canonical import canonical, commitment
from avsession.records import Account, Detail, Leaf, Recording
from avsession.session import Party, Session
from avsession.usecases import accounts, mydata, review, sessions
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import AGENT_NAME, CUSTOMER_NAME, LOGIN, World

REASON = "Kundig complains about his invoice"
ADDRESS = "192.0.2.77"


async def everything(world: World) -> None:
    """Refusal, expiry, recording, playback, withdrawal, destruction, a lost line, the end."""
    await world.decline(world.customer, await world.ask())
    await world.ask("evidence")
    await world.later(61)
    recording = await world.sealed("quality", seconds=3)
    request = world.recorder.grant.request
    await review.open_recording(world.app, world.admin, recording, REASON, "quality")
    await world.disconnect(world.customer)
    await world.connect(world.customer)
    await mydata.withdraw(world.app, world.customer.data_secret, request, "destroy", "k" * 32)
    await accounts.refused(world.app, "password", address=ADDRESS, login=LOGIN)
    await sessions.end_session(world.app, world.session, "test")


async def test_the_leaves_are_dense_canonical_and_of_known_kinds(world: World) -> None:
    await everything(world)
    leaves = await world.find(Leaf, order="index")
    assert [leaf.index for leaf in leaves] == list(range(len(leaves)))
    for leaf in leaves:
        body = json.loads(leaf.data)
        assert leaf.data == canonical(body)
        assert (body["index"], body["kind"], body["session"]) == (
            leaf.index, leaf.kind, leaf.session,
        )  # fmt: skip
        assert leaf.kind in KINDS


async def test_every_commitment_opens_and_every_detail_is_committed_to(world: World) -> None:
    await everything(world)
    bodies = {leaf["index"]: leaf for leaf in await world.leaves()}
    details = await world.find(Detail)
    for detail in details:
        value = json.loads(detail.value)
        expected = commitment(detail.salt, detail.field, value)
        assert bodies[detail.leaf]["commitments"][detail.field] == expected
        assert len(detail.salt) == 32
    assert len({detail.salt for detail in details}) == len(details)
    assert sum(len(body["commitments"]) for body in bodies.values()) == len(details)


async def test_no_leaf_says_who_it_was(world: World) -> None:
    await everything(world)
    words = {
        AGENT_NAME, CUSTOMER_NAME, LOGIN, "Adam Aufseher", REASON, ADDRESS,
        *AGENT_NAME.split(), *CUSTOMER_NAME.split(), "invoice",
        world.customer.data_secret, world.invitation,
    }  # fmt: skip
    words |= {account.id for account in await world.find(Account)}
    words |= {party.id for party in await world.find(Party)}
    words |= {session.id for session in await world.find(Session)}
    for leaf in await world.find(Leaf):
        # Names as written: identifiers are in lower case and may hold any short word by chance.
        text = leaf.data.decode()
        assert not [word for word in words if word in text], leaf.kind
        assert '"adam"' not in text


async def test_what_stands_in_a_leaf_is_an_identifier_a_digest_a_number_or_a_code(
    world: World,
) -> None:
    await everything(world)
    known = re.compile(r"[a-z]{3}_[a-z2-7]{26}|[0-9a-f]{64}|age1[a-z0-9]+|[a-z0-9_.]{1,32}")

    def plain(value: object) -> bool:
        if isinstance(value, dict):
            return all(plain(one) for one in value.values())
        if isinstance(value, list):
            return all(plain(one) for one in value)
        return value is None or isinstance(value, int) or bool(known.fullmatch(str(value)))

    for leaf in await world.leaves():
        assert plain(leaf["refs"]), leaf
        assert plain([leaf["actor"], leaf["subject"], leaf["session"]]), leaf


async def test_pseudonyms_are_a_sessions_own(world: World) -> None:
    first = world.agent.party.pseudonym
    again, _ = await world.new_call(world.staff)
    assert isinstance(again, Person)
    assert again.party.account == world.agent.party.account
    assert again.party.pseudonym != first


async def test_a_leaf_is_never_changed_or_removed(world: World) -> None:
    await everything(world)
    leaf = (await world.find(Leaf))[0]
    for change in ("put", "remove"):
        with pytest.raises(TypeError):
            async with world.store.write() as tx:
                await (tx.put(leaf) if change == "put" else tx.remove(Leaf, index=0))


async def test_the_whole_story(world: World) -> None:
    await everything(world)
    assert await world.story() == (
        "notice.published notice.published recording.requested consent.refused "
        "notice.published notice.published recording.requested consent.expired consent.expired "
        "recording.requested consent.given consent.given "
        "key.created key.wrapped key.created key.wrapped grant.issued recording.on "
        "grant.revoked recording.off recording.sealed "
        "recording.accessed "
        "consent.withdrawn privacy.requested key.destroyed key.destroyed recording.erased "
        "access.denied "
        "party.left party.left session.ended"
    )
    assert (await world.only(Recording)).manifest_head is not None
