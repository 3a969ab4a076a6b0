"""The provider's client by itself; what it believes over the wire is in api/test_company.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from avsession.config_outside import Company
from avsession.errors import SettingsInvalid, SignInFailed
from tests.support.provider import FakeProvider, providing
from web import oidc
from web.oidc import MAX_ANSWER, Provider, ProviderUnavailable


@pytest.fixture
async def acme() -> AsyncIterator[FakeProvider]:
    async with providing() as made:
        yield made


def settings(acme: FakeProvider, **other: object) -> Company:
    return msgspec.convert(acme.settings(**other), Company)


async def test_what_it_knows_is_asked_for_once(acme: FakeProvider) -> None:
    provider = Provider(settings(acme), "https://calls.example.com/signin")
    for _ in range(3):
        acme.went(await provider.address("s", "n", "v"))
    assert acme.fetched == ["metadata", "keys"]
    assert acme.asked["redirect_uri"] == "https://calls.example.com/signin"


async def test_an_address_inside_is_refused_unless_that_was_set(acme: FakeProvider) -> None:
    with pytest.raises(ProviderUnavailable):
        await Provider(settings(acme, internal=False), "x").address("s", "n", "v")
    assert acme.fetched == []


@pytest.mark.parametrize("place", ["jwks_uri", "token_endpoint", "authorization_endpoint"])
@pytest.mark.parametrize("host", ["127。0。0。1", "①②⑦.⓪.⓪.①", "１２７.0.0.1"])
async def test_no_place_that_it_names_is_an_address_in_disguise(
    acme: FakeProvider, place: str, host: str
) -> None:
    acme.metadata = {place: f"https://{host}:9/here"}
    with pytest.raises(ProviderUnavailable, match="not the one"):
        await Provider(settings(acme), "x").address("s", "n", "v")
    assert acme.fetched == ["metadata"]


async def test_it_does_not_go_where_it_is_sent_on_to(acme: FakeProvider) -> None:
    acme.moved = "/jwks"
    with pytest.raises(ProviderUnavailable):
        await Provider(settings(acme), "x").address("s", "n", "v")
    assert acme.fetched == ["metadata"]


async def test_a_provider_that_says_nothing_costs_a_while(
    acme: FakeProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.silent = True
    monkeypatch.setattr(oidc, "TIMEOUT_S", 0.05)
    with pytest.raises(ProviderUnavailable):
        await Provider(settings(acme), "x").address("s", "n", "v")
    assert acme.fetched == ["metadata"]


async def test_a_token_beside_a_refusal_is_none(acme: FakeProvider) -> None:
    provider = Provider(settings(acme), "https://calls.example.com/signin")
    acme.went(await provider.address("s", "n", "v" * 43))
    assert (await provider.claims("right", "n", "v" * 43))["sub"] == "u-1"
    acme.token_status = 400
    with pytest.raises(SignInFailed):
        await provider.claims("right", "n", "v" * 43)


async def test_an_answer_has_a_limit(acme: FakeProvider) -> None:
    acme.metadata = {"service_documentation": "x" * MAX_ANSWER}
    with pytest.raises(ProviderUnavailable):
        await Provider(settings(acme), "x").address("s", "n", "v")


@pytest.mark.parametrize("keys", [[], ["x"], [{"kty": "oct", "k": "c2VjcmV0"}], [{"kty": "EC"}]])
async def test_a_provider_without_public_keys_is_none(
    acme: FakeProvider, keys: list[object]
) -> None:
    acme.published = keys  # type: ignore[assignment]
    provider = Provider(settings(acme), "x")
    with pytest.raises((ProviderUnavailable, SignInFailed)):
        await provider.logout(acme.logout_token())


async def test_where_to_sign_out_there(acme: FakeProvider) -> None:
    acme.metadata = {"end_session_endpoint": f"{acme.issuer}/end?a=b"}
    leave = await Provider(settings(acme), "x").leave("https://calls.example.com/signin")
    assert leave is not None
    assert leave.startswith(f"{acme.issuer}/end?a=b&client_id=avsession&post_logout")
    for odd in (None, "javascript:alert(1)", "http://id.example.com/end"):
        acme.metadata = {"end_session_endpoint": odd}
        assert await Provider(settings(acme), "x").leave("y") is None
    acme.status = 500
    assert await Provider(settings(acme), "x").leave("y") is None


def test_a_secret_that_cannot_be_read_is_said_before_the_start(tmp_path: Path) -> None:
    def named(name: str) -> Company:
        return Company(issuer="https://id.example.com", client_secret_file=str(tmp_path / name))

    oidc.check(Company())
    oidc.check(Company(issuer="https://id.example.com"))
    with pytest.raises(SettingsInvalid, match="cannot be read"):
        oidc.check(named("nowhere"))
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(SettingsInvalid, match="empty"):
        oidc.check(named("empty"))
