"""Whose account somebody of the company's has, which role, and when it is over."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from avsession.config_outside import Company, RoleOf
from avsession.errors import NotFound, SignInFailed, TooMany
from avsession.messages import Ended
from avsession.records import Account, AuthSession
from avsession.session import Party
from avsession.signin_records import Identity, PendingSignIn
from avsession.usecases import accounts, company, presence, retention, sessions
from avsession.usecases.company import NoRole, role_of
from avsession.usecases.tokens import secret_hash
from tests.avsession.usecases.parts import Person
from tests.avsession.usecases.world import World, opened

ISSUER = "https://id.example.com"
ACME = Company(
    issuer=ISSUER,
    client_id="avsession",
    roles=(RoleOf(value="boss", role="admin"), RoleOf(value="desk", role="agent")),
)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path, company=ACME) as world:
        yield world


def claims(**other: Any) -> dict[str, Any]:
    return {"iss": ISSUER, "sub": "u-1", "sid": "s-1", "groups": ["desk"], "name": "Ada"} | other


@pytest.mark.parametrize(
    ("found", "role"),
    [
        (["desk"], "agent"), ("desk", "agent"), (["x", "boss"], "admin"),
        (["desk", "boss"], "admin"),
        ([], None), (None, None), ("boss desk", None), (["BOSS"], None), ({"boss": 1}, None),
    ],
)  # fmt: skip
def test_the_first_entry_that_fits_and_no_other(found: Any, role: str | None) -> None:
    assert role_of(ACME, {"groups": found}) == role
    assert role_of(ACME, {}) is None


@pytest.mark.parametrize("verified", [None, False, "true", 1])
def test_an_address_that_was_not_verified_gives_no_role(verified: Any) -> None:
    by_address = replace(
        ACME, role_claim="email", roles=(RoleOf(value="ada@example.com", role="admin"),)
    )
    told = {"email": "ada@example.com", "email_verified": True}
    assert role_of(by_address, told) == "admin"
    assert role_of(by_address, told | {"email_verified": verified}) is None


async def test_an_account_is_tied_to_the_subject_alone(house: World) -> None:
    login = (await house.only(Account, role="agent")).login
    first = await company.sign_in(house.app, claims(preferred_username=login, email=login))
    assert first.account.login not in (login, ""), "nobody is taken for a local account"
    assert first.account.password is None
    assert (await company.sign_in(house.app, claims(name=""))).account == first.account
    other = await company.sign_in(house.app, claims(sub="u-2", sid=None))
    assert other.account.id != first.account.id
    elsewhere = await company.sign_in(house.app, claims(iss="https://other.example"))
    assert elsewhere.account.id not in (first.account.id, other.account.id)
    kinds = [leaf["refs"].get("by", leaf["refs"].get("method")) for leaf in await house.leaves()]
    assert kinds.count("company") == 3 + 4, "each account and each sign-in is a leaf"
    with pytest.raises(SignInFailed):
        await accounts.sign_in(house.app, first.account.login, "")


async def test_a_refusal_is_a_leaf_and_ends_what_was_open(house: World) -> None:
    ada = await company.sign_in(house.app, claims())
    await house.story()
    with pytest.raises(NoRole):
        await company.sign_in(house.app, claims(groups=[]), address="192.0.2.1")
    assert await house.story() == "access.revoked access.denied"
    assert (await house.leaves())[-1]["refs"]["reason"] == "no_role"
    assert not await house.find(AuthSession, token_hash=ada.principal.auth)


async def test_the_provider_ends_a_call_that_goes_on(house: World) -> None:
    ada = await company.sign_in(house.app, claims())
    made = await sessions.create_session(house.app, ada.principal, "en")
    person = Person(made.party)
    ticket = await sessions.issue_ticket(house.app, made.party, ada.principal.auth)
    assert ticket
    house.app.seated.note(person.id, ada.principal.auth)
    house.hub.attach(person.id, person.party.session, person)
    await presence.joined(house.app, person.id)
    assert await company.ended(house.app, ISSUER, None, "s-2") == 0
    assert await company.ended(house.app, "https://other.example", None, "s-1") == 0
    assert await company.ended(house.app, ISSUER, None, None) == 0
    assert (await house.only(Party, id=person.id)).presence == "present"
    assert await company.ended(house.app, ISSUER, "u-1", "s-1") == 1
    assert (await house.only(Party, id=person.id)).presence is None
    assert person.ended is not None or person.all(Ended)
    leaf = next(one for one in reversed(await house.leaves()) if one["kind"] == "access.revoked")
    assert leaf["refs"] == {"reason": "provider"}
    assert await company.ended(house.app, ISSUER, "u-1", None) == 0


async def test_a_session_that_began_without_a_sid_ends_by_whose_it_is(house: World) -> None:
    """A logout token with both: the ID token need not have named the session (Core 1.0 §2)."""
    without = await company.sign_in(house.app, claims(sid=None))
    named = await company.sign_in(house.app, claims(sid="s-9"))
    another = await company.sign_in(house.app, claims(sid="s-8"))
    somebody = await company.sign_in(house.app, claims(sub="u-2", sid=None))
    assert await company.ended(house.app, ISSUER, "u-1", "s-9", token="j-1") == 2
    left = {one.token_hash for one in await house.find(AuthSession)}
    assert {without.principal.auth, named.principal.auth}.isdisjoint(left)
    assert {another.principal.auth, somebody.principal.auth} <= left
    later = await company.sign_in(house.app, claims(sid=None))
    assert await company.ended(house.app, ISSUER, None, "s-8") == 1
    left = {one.token_hash for one in await house.find(AuthSession)}
    assert {later.principal.auth, somebody.principal.auth} <= left


async def test_who_came_back_is_who_went_once_and_in_time(house: World) -> None:
    state, browser, pending = await company.start(house.app)
    assert pending.state_hash == secret_hash(state)
    stored = repr(await house.find(PendingSignIn))
    assert state not in stored
    assert browser not in stored
    assert await company.take(house.app, state, browser) == pending
    for wrong in ((state, browser), ("x", browser)):
        with pytest.raises(SignInFailed):
            await company.take(house.app, *wrong)
    state, browser, _ = await company.start(house.app)
    with pytest.raises(SignInFailed):
        await company.take(house.app, state, "x")
    with pytest.raises(SignInFailed):
        await company.take(house.app, state, browser)
    assert await house.find(PendingSignIn) == []


async def test_there_are_limits(house: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company, "MOST_PENDING", 2)
    for _ in range(2):
        await company.start(house.app)
    with pytest.raises(TooMany):
        await company.start(house.app)
    house.clock.forward(601)
    tallies = {one.rule.what: one for one in await retention.run(house.app)}
    assert tallies["company sign-ins"].count == 2
    await company.start(house.app)
    for _ in range(10):
        with pytest.raises(SignInFailed):
            await company.take(house.app, "x", "y", address="192.0.2.1")
    for _ in range(40):
        await tried(house)
    with pytest.raises(TooMany):
        await company.take(house.app, "x", "y", address="192.0.2.1")


async def tried(house: World) -> None:
    with suppress(SignInFailed, TooMany):
        await company.take(house.app, "x", "y", address="192.0.2.1")


async def test_without_a_provider_there_is_no_way(world: World) -> None:
    with pytest.raises(NotFound):
        await company.start(world.app)
    assert await world.find(Identity) == []
