"""Staff sign in and out, against a real database."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from argon2 import PasswordHasher

from avsession.config import SignIn
from avsession.errors import (
    Conflict,
    Invalid,
    LinkSpent,
    NotFound,
    NotPermitted,
    SignInFailed,
    SignInRequired,
    TooMany,
)
from avsession.records import Account, AuthSession, Detail, Leaf, SignInLink
from avsession.usecases import accounts, limits
from avsession.usecases.services import Services
from tests.support.world import Clock, world

PASSWORD = "correct horse battery"
HOME = "192.0.2.1"


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[tuple[Services, Clock]]:
    async with world(tmp_path) as both:
        yield both


@pytest.fixture
def app(both: tuple[Services, Clock]) -> Services:
    return both[0]


@pytest.fixture
def clock(both: tuple[Services, Clock]) -> Clock:
    return both[1]


@pytest.fixture
async def ada(app: Services) -> Account:
    return await accounts.create_account(app, "ada", "Ada Lovelace", "agent", PASSWORD)


async def leaves(app: Services) -> list[dict[str, object]]:
    """What the log has but the making of accounts."""
    async with app.store.read() as tx:
        found = [json.loads(leaf.data) for leaf in await tx.find(Leaf, order="index")]
    return [leaf for leaf in found if leaf["refs"].get("what") != "account"]


# --- accounts


async def test_making_an_account_leaves_a_leaf_without_its_name(app: Services) -> None:
    account = await accounts.create_account(app, "ada", "Ada Lovelace", "agent", PASSWORD)
    async with app.store.read() as tx:
        (leaf,) = [json.loads(leaf.data) for leaf in await tx.find(Leaf)]
        (detail,) = await tx.find(Detail)
    assert (leaf["kind"], leaf["actor"]) == ("access.granted", "server")
    assert leaf["refs"] == {"what": "account", "role": "agent"}
    assert detail.value == f'"{account.id}"'.encode()


async def test_an_account_is_stored_with_a_hash(app: Services) -> None:
    account = await accounts.create_account(
        app, " Ada@Example.com ", " Ada  L. ", "agent", PASSWORD
    )
    assert (account.login, account.name) == ("ada@example.com", "Ada L.")
    async with app.store.read() as tx:
        assert await tx.get(Account, account.id) == account
    assert account.password is not None
    assert account.password.startswith("$argon2id$")


@pytest.mark.parametrize(
    ("login", "name", "role", "password"),
    [
        ("", "Ada", "agent", PASSWORD),
        ("a b", "Ada", "agent", PASSWORD),
        ("ada\nbob", "Ada", "agent", PASSWORD),
        ("a" * 65, "Ada", "agent", PASSWORD),
        ("ada", "", "agent", PASSWORD),
        ("ada", " \t ", "agent", PASSWORD),
        ("ada", "A" * 81, "agent", PASSWORD),
        ("ada", "Ada\N{RIGHT-TO-LEFT OVERRIDE}", "agent", PASSWORD),
        ("ada", "Ada", "root", PASSWORD),
        ("ada", "Ada", "agent", "eleven char"),
        ("ada", "Ada", "agent", "x" * 1025),
        ("ada.lovelace", "Ada", "agent", "Ada.Lovelace"),
    ],
)
async def test_an_account_that_breaks_a_rule(
    app: Services, login: str, name: str, role: str, password: str
) -> None:
    with pytest.raises(Invalid):
        await accounts.create_account(app, login, name, role, password)
    async with app.store.read() as tx:
        assert await tx.count(Account) == 0


async def test_a_login_is_given_once(app: Services, ada: Account) -> None:
    with pytest.raises(Conflict, match="taken"):
        await accounts.create_account(app, "ADA", "Another", "admin", PASSWORD)


# --- by password


async def test_signing_in_and_out(app: Services, ada: Account) -> None:
    signed_in = await accounts.sign_in(app, " ADA ", PASSWORD, address=HOME)
    who = await accounts.authenticate(app, signed_in.token)
    assert who == signed_in.principal
    assert (who.account, who.name, who.role, who.home) == (ada.id, ada.name, "agent", "/")
    await accounts.sign_out(app, signed_in.token)
    with pytest.raises(SignInRequired):
        await accounts.authenticate(app, signed_in.token)
    await accounts.sign_out(app, signed_in.token)
    kinds = [(leaf["kind"], leaf["actor"]) for leaf in await leaves(app)]
    assert kinds == [("access.granted", who.pseudonym), ("access.revoked", who.pseudonym)]


async def test_each_sign_in_has_its_own_token_and_pseudonym(app: Services, ada: Account) -> None:
    one = await accounts.sign_in(app, "ada", PASSWORD)
    other = await accounts.sign_in(app, "ada", PASSWORD)
    assert one.token != other.token
    assert one.principal.pseudonym != other.principal.pseudonym
    assert await accounts.authenticate(app, one.token) == one.principal
    async with app.store.read() as tx:
        stored = await tx.find(AuthSession, account=ada.id)
    assert one.token.encode() not in {session.token_hash for session in stored}


@pytest.mark.parametrize("attempt", [("ada", "wrong wrong wrong"), ("bob", PASSWORD), ("ada", "")])
async def test_what_is_wrong_is_not_said(
    app: Services, ada: Account, attempt: tuple[str, str]
) -> None:
    with pytest.raises(SignInFailed) as error:
        await accounts.sign_in(app, *attempt)
    assert str(error.value) == SignInFailed.sentence
    (leaf,) = await leaves(app)
    assert leaf["kind"] == "access.denied"
    assert leaf["refs"] == {"reason": "password", "times": 1}


async def test_an_account_without_password_is_entered_by_links_only(app: Services) -> None:
    await accounts.create_account(app, "ada", "Ada", "agent", None)
    for attempt in ("", "no account has this password"):
        with pytest.raises(SignInFailed):
            await accounts.sign_in(app, "ada", attempt)


async def test_a_disabled_account_is_out_at_once(app: Services, ada: Account) -> None:
    signed_in = await accounts.sign_in(app, "ada", PASSWORD)
    async with app.store.write() as tx:
        await tx.put(msgspec.structs.replace(ada, disabled=True))
    with pytest.raises(SignInRequired):
        await accounts.authenticate(app, signed_in.token)
    with pytest.raises(SignInFailed):
        await accounts.sign_in(app, "ada", PASSWORD)


async def test_an_old_hash_is_renewed_at_sign_in(app: Services, ada: Account) -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash(PASSWORD)
    async with app.store.write() as tx:
        await tx.put(msgspec.structs.replace(ada, password=old))
    await accounts.sign_in(app, "ada", PASSWORD)
    async with app.store.read() as tx:
        account = await tx.get(Account, ada.id)
    assert account is not None
    assert account.password not in (None, old)
    await accounts.sign_in(app, "ada", PASSWORD)


# --- what the log holds


async def test_names_are_committed_to_and_not_in_the_leaf(app: Services, ada: Account) -> None:
    await accounts.sign_in(app, "ada", PASSWORD)
    with pytest.raises(SignInFailed):
        await accounts.sign_in(app, "ada", "wrong wrong wrong")
    async with app.store.read() as tx:
        data = b"".join(leaf.data for leaf in await tx.find(Leaf))
        details = await tx.find(Detail)
    assert b'"ada"' not in data.lower()  # in quotes: digests may hold the letters
    assert ada.id.encode() not in data
    made = ("account", f'"{ada.id}"'.encode())
    assert [(detail.field, detail.value) for detail in details] == [
        made, ("login", b'"ada"'), ("login", b'"ada"'),
    ]  # fmt: skip
    assert all(len(detail.salt) == 32 for detail in details)


async def test_what_a_stranger_typed_is_kept_nowhere(app: Services, tmp_path: Path) -> None:
    with pytest.raises(SignInFailed):
        await accounts.sign_in(app, "my-secret-password-by-mistake", "x")
    async with app.store.read() as tx:
        assert await tx.count(Detail) == 0
    for path in tmp_path.iterdir():
        if path.is_file():
            assert b"by-mistake" not in path.read_bytes()


async def test_an_attacker_cannot_grow_the_log(app: Services, ada: Account, clock: Clock) -> None:
    for n in range(200):
        with pytest.raises((SignInFailed, TooMany)):
            await accounts.sign_in(app, f"name{n}", "wrong wrong wrong", address=HOME)
    assert len(await leaves(app)) == 1
    clock.forward(61)
    with pytest.raises(SignInFailed):
        await accounts.sign_in(app, "ada", "wrong wrong wrong", address=HOME)
    assert [leaf["refs"] for leaf in await leaves(app)] == [
        {"reason": "password", "times": 1},
        {"reason": "password", "times": 200},
    ]


# --- limits


async def test_tries_for_one_login_are_limited_from_everywhere(
    app: Services, ada: Account, clock: Clock
) -> None:
    for n in range(limits.LOGIN_BURST):
        with pytest.raises(SignInFailed):
            await accounts.sign_in(app, "ada", "wrong wrong wrong", address=f"192.0.2.{n}")
    with pytest.raises(TooMany):
        await accounts.sign_in(app, "ada", PASSWORD, address="192.0.2.200")
    clock.forward(limits.LOGIN_EVERY_MS / 1000)
    await accounts.sign_in(app, "ada", PASSWORD, address="192.0.2.200")


async def test_tries_from_one_address_are_limited(app: Services, ada: Account) -> None:
    for n in range(limits.ADDRESS_BURST):
        with pytest.raises(SignInFailed):
            await accounts.sign_in(app, f"name{n}", "wrong wrong wrong", address=HOME)
    with pytest.raises(TooMany):
        await accounts.sign_in(app, "ada", PASSWORD, address=HOME)
    await accounts.sign_in(app, "ada", PASSWORD, address="192.0.2.2")


async def test_who_signs_in_rightly_is_not_limited(app: Services, ada: Account) -> None:
    for _ in range(limits.ADDRESS_BURST + 5):
        await accounts.sign_in(app, "ada", PASSWORD, address=HOME)


# --- timeouts


async def test_idle_ends_a_session(app: Services, ada: Account, clock: Clock) -> None:
    token = (await accounts.sign_in(app, "ada", PASSWORD)).token
    for _ in range(3):
        clock.forward(app.settings.signin.idle_s - 1)
        await accounts.authenticate(app, token)
    clock.forward(app.settings.signin.idle_s)
    with pytest.raises(SignInRequired):
        await accounts.authenticate(app, token)


async def test_a_session_ends_however_busy(app: Services, ada: Account, clock: Clock) -> None:
    token = (await accounts.sign_in(app, "ada", PASSWORD)).token
    step = 1000
    for _ in range((app.settings.signin.absolute_s - 1) // step):
        clock.forward(step)
        await accounts.authenticate(app, token)
    clock.forward(step)
    with pytest.raises(SignInRequired):
        await accounts.authenticate(app, token)


async def test_seen_is_written_once_a_minute(app: Services, ada: Account, clock: Clock) -> None:
    token = (await accounts.sign_in(app, "ada", PASSWORD)).token

    async def seen() -> int:
        async with app.store.read() as tx:
            (session,) = await tx.find(AuthSession)
        return session.seen_ms

    start = await seen()
    clock.forward(59)
    await accounts.authenticate(app, token)
    assert await seen() == start
    clock.forward(1)
    await accounts.authenticate(app, token)
    assert await seen() == start + 60_000


async def test_a_short_idle_limit_still_slides(tmp_path: Path) -> None:
    (tmp_path / "short").mkdir()
    async with world(tmp_path / "short", signin=SignIn(idle_s=8)) as (app, clock):
        await accounts.create_account(app, "ada", "Ada", "agent", PASSWORD)
        token = (await accounts.sign_in(app, "ada", PASSWORD)).token
        for _ in range(10):
            clock.forward(5)
            await accounts.authenticate(app, token)


async def test_sessions_that_are_over_are_cleared_away(
    app: Services, ada: Account, clock: Clock
) -> None:
    await accounts.sign_in(app, "ada", PASSWORD)
    clock.forward(app.settings.signin.idle_s)
    await accounts.sign_in(app, "ada", PASSWORD)
    async with app.store.read() as tx:
        assert await tx.count(AuthSession) == 1


@pytest.mark.parametrize("token", ["", "x", "\0", "\ud800", "a" * 43, "a" * 100_000])
async def test_a_made_up_token_is_nobody_s(app: Services, ada: Account, token: str) -> None:
    with pytest.raises(SignInRequired):
        await accounts.authenticate(app, token)


# --- by link


async def test_a_link_works_once(app: Services, ada: Account) -> None:
    secret = await accounts.make_sign_in_link(app, ada.id)
    signed_in = await accounts.sign_in_by_link(app, secret, address=HOME)
    assert (await accounts.authenticate(app, signed_in.token)).account == ada.id
    with pytest.raises(LinkSpent):
        await accounts.sign_in_by_link(app, secret, address=HOME)
    granted, denied = await leaves(app)
    assert granted["refs"] == {"method": "link", "role": "agent"}
    assert denied["refs"] == {"reason": "link", "times": 1}


async def test_of_two_with_one_link_one_comes_in(app: Services, ada: Account) -> None:
    secret = await accounts.make_sign_in_link(app, ada.id)
    results = await asyncio.gather(
        *(accounts.sign_in_by_link(app, secret) for _ in range(5)), return_exceptions=True
    )
    assert [type(result) for result in results].count(LinkSpent) == 4


async def test_a_link_lives_ten_minutes_or_as_long_as_was_asked(
    app: Services, ada: Account, clock: Clock
) -> None:
    secret = await accounts.make_sign_in_link(app, ada.id)
    long = await accounts.make_sign_in_link(app, ada.id, valid_s=86_400)
    clock.forward(600)
    with pytest.raises(LinkSpent):
        await accounts.sign_in_by_link(app, secret)
    await accounts.make_sign_in_link(app, ada.id)
    async with app.store.read() as tx:
        assert await tx.count(SignInLink) == 2, "the expired one was cleared away"
    clock.forward(80_000)
    await accounts.sign_in_by_link(app, long)


async def test_links_exist_only_on_a_loopback_address(app: Services, ada: Account) -> None:
    secret = await accounts.make_sign_in_link(app, ada.id)
    settings = msgspec.structs.replace(app.settings, public_url="https://calls.example.com")
    public = type(app)(
        **{name: getattr(app, name) for name in app.__slots__} | {"settings": settings}
    )
    with pytest.raises(NotPermitted):
        await accounts.make_sign_in_link(public, ada.id)
    with pytest.raises(LinkSpent):
        await accounts.sign_in_by_link(public, secret)
    await accounts.sign_in_by_link(app, secret)


async def test_a_link_for_nobody(app: Services) -> None:
    with pytest.raises(NotFound):
        await accounts.make_sign_in_link(app, "acc_" + "a" * 26)


async def test_guessing_links_is_limited(app: Services) -> None:
    for _ in range(limits.ADDRESS_BURST):
        with pytest.raises(LinkSpent):
            await accounts.sign_in_by_link(app, "guess", address=HOME)
    with pytest.raises(TooMany):
        await accounts.sign_in_by_link(app, "guess", address=HOME)
