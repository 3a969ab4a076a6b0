"""Who leaves the house is out at once, and is called as the policy says."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession.config import Retention
from avsession.errors import (
    Conflict,
    NotFound,
    NotPermitted,
    SignInRequired,
    TicketRefused,
)
from avsession.messages import Ended
from avsession.records import Account, Detail, SignInLink
from avsession.session import Party, Session
from avsession.usecases import accounts, evidence, leaving, presence, review, sessions
from avsession.usecases.permissions import Principal
from tests.avsession.usecases.world import AGENT_NAME, LOGIN, World, opened
from tests.support.engines import stored

DAY_S = 86_400


async def signed_in(world: World, account: str) -> str:
    """Another sign-in of this account; its token."""
    link = await accounts.make_sign_in_link(world.app, account)
    return (await accounts.sign_in_by_link(world.app, link)).token


async def test_disabling_ends_sign_ins_links_tickets_and_calls_at_once(world: World) -> None:
    agent = world.staff
    token = await signed_in(world, agent.account)
    link = await accounts.make_sign_in_link(world.app, agent.account)
    await world.recorded()
    lonely = await sessions.create_session(world.app, agent, "en")
    who = await accounts.authenticate(world.app, token)
    ticket = await sessions.issue_ticket(world.app, lonely.party, who.auth)
    await world.story()
    done = await leaving.disable(world.app, world.admin, agent.account)
    assert (done["disabled"], done["disabled_ms"]) == (True, world.clock.now_ms())
    assert world.live() is None, "the gate is closed"
    assert world.agent.ended is not None
    for person in (world.agent, world.customer):
        assert person.last(Ended).reason == "agent_disabled"
    assert {row.end_reason for row in await world.find(Session)} == {"agent_disabled"}
    with pytest.raises(SignInRequired):
        await accounts.authenticate(world.app, token)
    assert not await world.find(SignInLink)
    with pytest.raises(TicketRefused):
        await sessions.redeem_ticket(world.app, ticket)
    with pytest.raises(Exception, match="link"):
        await accounts.sign_in_by_link(world.app, link)
    told = (await world.story()).split()
    assert told[0] == "access.revoked"
    first = next(leaf for leaf in await world.leaves() if leaf["refs"].get("reason") == "disabled")
    assert first["actor"] == world.admin.pseudonym
    assert first["refs"] == {"reason": "disabled", "what": "account", "sign_ins": 2}
    await leaving.disable(world.app, world.admin, agent.account)
    again = [leaf for leaf in await world.leaves() if leaf["refs"].get("reason") == "disabled"]
    assert len(again) == 1, "repeating it says nothing more"


@pytest.mark.parametrize(
    ("policy", "named"), [("role", ""), ("pseudonym", "Agent "), ("keep", AGENT_NAME)]
)
async def test_the_name_in_old_records_becomes_what_the_policy_says(
    tmp_path: Path, policy: str, named: str
) -> None:
    kept = Retention(leaver_name=policy)  # type: ignore[arg-type]
    async with opened(tmp_path, retention=kept) as world:
        for _ in range(3):
            await sessions.create_session(world.app, world.staff, "en")
        await leaving.disable(world.app, None, world.staff.account)
        parties = await world.find(Party, account=world.staff.account)
        assert len(parties) == 4
        assert len({party.name for party in parties}) == 1
        assert parties[0].name.startswith(named)
        assert (parties[0].name == named) == (policy != "pseudonym")
        account = await world.only(Account, id=world.staff.account)
        assert account.name == parties[0].name
        logins = [row.value for row in await world.find(Detail, field="login")]
        assert (f'"{LOGIN}"'.encode() in logins) == (policy == "keep")
        assert b'"adam"' in logins
        assert (account.login == LOGIN) == (policy == "keep")
        if policy == "keep":
            await world.later(366 * DAY_S)
            account = await world.only(Account, id=world.staff.account)
            assert (account.name, account.login == LOGIN) == ("", False)
        await world.app.leftovers.scrub(world.store)
        data = b"".join(stored(tmp_path).values())
        assert data
        assert AGENT_NAME.encode() not in data
        assert LOGIN.encode() not in data
        await evidence.checkpoint(world.app)
        found = await evidence.verify(world.store, world.app.notary.key)
        assert found.findings == ()


async def test_a_change_of_names_that_was_interrupted_is_gone_on_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leaving, "PAGE", 1)
    for _ in range(3):
        await sessions.create_session(world.app, world.staff, "en")

    class Crash(BaseException):
        pass

    commits = iter(range(100))

    async def die() -> None:
        if next(commits) == 7:
            raise Crash

    world.store.before_commit = die
    with pytest.raises(Crash):
        await leaving.disable(world.app, None, world.staff.account)
    names = {row.name for row in await world.find(Party, account=world.staff.account)}
    assert len(names) == 2, "some have it, some not"
    await world.restart()
    await world.later(1)
    names = {row.name for row in await world.find(Party, account=world.staff.account)}
    assert len(names) == 1
    assert names != {AGENT_NAME}
    assert (await world.only(Account, id=world.staff.account)).login.startswith(leaving.LEFT)


async def test_a_server_notices_what_another_process_disabled(world: World) -> None:
    other = World(world.folder, {}, world.clock)
    await other.start()
    try:
        async with other.store.write() as tx:
            account = await tx.get(Account, world.staff.account)
            assert account is not None
            await tx.put(replace(account, disabled=True, disabled_ms=world.clock.now_ms()))
    finally:
        await other.close()
    await world.record()
    await world.later(0.5)
    assert world.live() is None
    assert world.customer.last(Ended).reason == "agent_disabled"


async def test_what_they_watch_ends(world: World) -> None:
    recording = await world.sealed()
    second = await world.staff_member("berta", "Berta", "admin")
    opened_now = await review.open_recording(world.app, second, recording, "a reason", "quality")
    track = opened_now["tracks"][0]["track"]
    file = await review.track_file(world.app, second, opened_now["access"], track)
    await leaving.disable(world.app, world.admin, second.account)
    with pytest.raises(Exception, match="closed"):
        await file.read(0, 10)


async def test_who_may_and_whom(world: World) -> None:
    for call in (leaving.listed(world.app, world.staff),
                 leaving.disable(world.app, world.staff, world.admin.account)):  # fmt: skip
        with pytest.raises(NotPermitted):
            await call
    with pytest.raises(Conflict, match="Somebody else"):
        await leaving.disable(world.app, world.admin, world.admin.account)
    with pytest.raises(Conflict, match="last"):
        await leaving.disable(world.app, None, world.admin.account)
    second = await world.staff_member("berta", "Berta", "admin")
    await leaving.disable(world.app, world.admin, second.account)
    with pytest.raises(Conflict, match="last"):
        await leaving.disable(world.app, None, world.admin.account)
    with pytest.raises(NotFound):
        await leaving.disable(world.app, None, "acc_" + "a" * 26)
    with pytest.raises(NotFound):
        await leaving.of_login(world.app, LOGIN, "admin")
    assert await leaving.of_login(world.app, LOGIN.upper(), "agent") == world.staff.account
    rows = await leaving.listed(world.app, world.admin)
    assert [row["disabled"] for row in rows if row["account"] == second.account] == [True]
    assert [row["login"] for row in rows if row["account"] == second.account] == [""]


# --- signing out


async def connected(world: World, token: str) -> Principal:
    """The agent's page connects by this sign-in."""
    who = await accounts.authenticate(world.app, token)
    ticket = await sessions.issue_ticket(world.app, world.agent.party, who.auth)
    await sessions.redeem_ticket(world.app, ticket)
    await world.connect(world.agent)
    return who


async def test_a_sign_out_ends_the_calls_of_that_sign_in(world: World) -> None:
    token, other = [await signed_in(world, world.staff.account) for _ in range(2)]
    await connected(world, token)
    await world.record()
    await accounts.sign_out(world.app, other)
    assert world.gate.parties
    assert not world.agent.all(Ended)
    await accounts.sign_out(world.app, token)
    assert world.live() is None
    assert world.agent.ended is not None
    assert world.customer.last(Ended).reason == "agent_left"
    assert (await world.only(Session)).ended_ms is not None


async def test_a_connection_that_is_just_coming_does_not_outlive_its_sign_in(
    world: World,
) -> None:
    token = await signed_in(world, world.staff.account)
    who = await accounts.authenticate(world.app, token)
    fresh = (await sessions.create_session(world.app, who, "en")).party
    late = await sessions.issue_ticket(world.app, fresh, who.auth)
    ticket = await sessions.issue_ticket(world.app, fresh, who.auth)
    party = await sessions.redeem_ticket(world.app, ticket)
    await accounts.sign_out(world.app, token)
    with pytest.raises(SignInRequired):
        await presence.joined(world.app, party.id)
    with pytest.raises(TicketRefused):
        await sessions.redeem_ticket(world.app, late)
