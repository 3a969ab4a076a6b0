"""Settings of webhooks: where they may lead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from avsession.config import Settings, check, load
from avsession.config_outside import (
    Company,
    Endpoint,
    RoleOf,
    Webhooks,
    address_problem,
    company_problems,
    is_loopback_host,
    webhook_problems,
)
from avsession.errors import SettingsInvalid


def endpoint(**other: Any) -> Endpoint:
    return Endpoint(
        **{"name": "crm", "url": "https://crm.example.com/h", "secret_file": "s"} | other
    )


@pytest.mark.parametrize(
    "url",
    [
        "https://crm.example.com/hooks?a=b",
        "https://10.0.0.5:8443/",
        "http://localhost:8000/",
        "http://127.0.0.1/",
        "http://[::1]:1/",
    ],
)
def test_an_address_that_can_be_used(url: str) -> None:
    assert address_problem(url) is None


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://crm.example.com/", "https://"),
        ("http://127.0.0.1.example.com/", "https://"),
        ("ftp://crm.example.com/", "not an https"),
        ("https:///path", "not an https"),
        ("https://crm.example.com/#x", "not an https"),
        ("https://ann:secret@crm.example.com/", "name or a password"),
        ("https://crm.example.com:x/", "not a URL"),
        ("https://[::1/", "not a URL"),
        ("https://127。0。0。1/", "in ASCII"),
        ("https://①②⑦.⓪.⓪.①/", "in ASCII"),
        ("https://１２７.0.0.1/", "in ASCII"),
        ("https://bücher.example/", "in ASCII"),
        ("", "not an https"),
    ],
)
def test_an_address_that_cannot(url: str, why: str) -> None:
    assert why in (address_problem(url) or "")
    wrong = webhook_problems(Webhooks(endpoints=(endpoint(url=url),)))
    assert wrong
    assert check(Settings(webhooks=Webhooks(endpoints=(endpoint(url=url),)))) == wrong


def test_a_name_stands_for_one_endpoint() -> None:
    assert webhook_problems(Webhooks(endpoints=(endpoint(), endpoint(name="erp")))) == []
    twice = webhook_problems(Webhooks(endpoints=(endpoint(), endpoint())))
    assert twice == ["webhooks.endpoints: every name must be there once"]


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(
        '[webhooks]\ntimeout_s = 5\n[[webhooks.endpoints]]\nname = "crm"\n'
        'url = "https://crm.example.com/h"\nsecret_file = "s"\nevents = ["consent"]\n'
    )
    assert load(path, {}).webhooks == Webhooks(
        timeout_s=5, endpoints=(endpoint(events=("consent",)),)
    )
    for wrong in ('name = "C R M"', 'name = "a"\nevent = ["x"]', ""):
        path.write_text(
            f'[[webhooks.endpoints]]\nurl = "https://a.example"\nsecret_file = "s"\n{wrong}\n'
        )
        with pytest.raises(SettingsInvalid):
            load(path, {})


def test_localhost_and_names_under_it() -> None:
    assert is_loopback_host("a.localhost")
    assert not is_loopback_host("localhost.example.com")


def company(**other: Any) -> Company:
    made = {
        "issuer": "https://id.example.com/realms/a",
        "client_id": "avsession",
        "roles": (RoleOf(value="desk", role="agent"),),
    }
    return Company(**(made | other))


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"issuer": "http://id.example.com"}, "https://"),
        ({"issuer": "https://id.example.com/?a=b"}, "query"),
        ({"client_id": ""}, "client_id"),
        ({"scopes": ("profile",)}, "openid"),
        ({"roles": ()}, "nobody could sign in"),
    ],
)
def test_a_sign_in_that_cannot_work(other: dict[str, Any], why: str) -> None:
    assert company_problems(company()) == company_problems(Company()) == []
    (wrong,) = company_problems(company(**other))
    assert why in wrong
    assert check(Settings(company=company(**other))) == [wrong]
