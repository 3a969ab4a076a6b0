"""The browser's lock, with the other two open: the server and the recorder are the attackers.

Every message between page and server goes through us; what a hostile server would say is put in.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from playwright.async_api import Browser

from tests.browser.between import Between
from tests.browser.people import Person, ask, new_call
from tests.browser.product import Product, until
from tests.support.signer import Signer

OTHER = ":".join(["AB"] * 32)
CUSTOMER = 2
"""The second window that `new_call` opens."""


async def intercepted_call(
    browser: Browser, shared: Product, monkeypatch: pytest.MonkeyPatch
) -> tuple[Person, Person, Between]:
    """A call whose customer's signaling goes through us; the agent's does not."""
    between = await Between.of_window(CUSTOMER, monkeypatch)
    agent, customer = await new_call(browser, shared)
    assert between.person is customer
    return agent, customer, between


def token(**fields: Any) -> str:
    """A grant that nobody signed: the lock must not need the signature to be refused."""
    body = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    return f"{body}.{'A' * 86}"


def consent(number: int, party: str) -> dict[str, Any]:
    """A consent that nobody signed."""
    return {
        "event": f"evt_{number}{'a' * 25}",
        "party": party,
        "notice": "0" * 64,
        "language": "en",
        "purposes": ["quality"],
        "time": "2026-01-01T00:00:00.000Z",
        "public_key": "A" * 87,
        "signature": "A" * 86,
    }


def forged(between: Between, request: str) -> dict[str, Any]:
    """A grant such as the server would make, for everyone in the call."""
    welcome = between.last("welcome")
    parties = [p["party"] for p in between.last("parties")["parties"] if p["role"] != "recorder"]
    now = int(time.time() * 1000)
    return {
        "id": "grt_" + "a" * 26,
        "session": welcome["session"],
        "request": request,
        "recording": "rec_" + "a" * 26,
        "generation": 1,
        "epoch_ms": now,
        "issued_ms": now,
        "expires_ms": now + 60_000,
        "worker": "wrk_" + "a" * 26,
        "fingerprint": OTHER,
        "recorder_key": "A" * 43,
        "purposes": ["quality"],
        "consents": [consent(n, party) for n, party in enumerate(parties)],
        "legs": [{"party": p, "track": "trk_" + "a" * 26, "recipient": "age1x"} for p in parties],
        "max_height": 720,
        "max_bitrate": 1_500_000,
        "delay_ms": 400,
    }


SDP = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=fingerprint:sha-256 {OTHER}",
        "m=video 9 UDP/TLS/RTP/SAVPF 96",
        "c=IN IP4 0.0.0.0",
        "a=rtpmap:96 VP8/90000",
        "a=recvonly",
        "",
    ]
)


async def test_no_leg_without_this_partys_own_click(
    browser: Browser, shared: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that claims consent, and a recorder that believes it, get nothing."""
    _agent, customer, between = await intercepted_call(browser, shared, monkeypatch)
    made = await customer.page.evaluate("window.made")
    grant = forged(between, "req_" + "a" * 26)
    offer = {"recording": grant["recording"], "generation": 1, "sdp": SDP}
    between.say(type="leg.offer", **offer)
    await until("refused", lambda: between.refusals() == ["grant.missing"])
    between.say(type="recording.grant", grant=token(**grant))
    between.say(type="leg.offer", **offer)
    await until("refused", lambda: between.refusals()[1:] == ["consent.missing"])
    on = {"state": "on", "reason": "", "request": grant["request"], "may_ask": True}
    on |= {"recording": grant["recording"], "generation": 1, "paused": {}}
    between.say(type="recording.state", recording=on)
    between.say(type="leg.offer", **offer)
    await until("refused", lambda: between.refusals()[2:] == ["consent.missing"])
    # the server's record of a click that was never made is worth nothing either
    welcome = between.last("welcome")
    asked = {"request": grant["request"], "by": welcome["you"], "purposes": ["quality"]}
    asked |= {"notices": [], "deadline_ms": 60_000, "warn_ms": 20_000}
    answers = {leg["party"]: "given" for leg in grant["legs"]}
    between.say(type="recording.asked", ask={**asked, "answers": answers})
    between.say(type="leg.offer", **offer)
    await until("refused", lambda: between.refusals()[3:] == ["consent.missing"])
    assert await customer.page.evaluate("window.made") == made
    # a new welcome makes the page call the agent anew, so from here answers are what counts
    between.say(**{**welcome, "given": grant["request"], "grant": token(**grant)})
    between.say(type="recording.state", recording=on)
    between.say(type="leg.offer", **offer)
    await until("refused", lambda: between.refusals()[4:] == ["consent.missing"])
    assert between.answers() == []


def other_fingerprint(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "leg.offer":
        head, _, tail = message["sdp"].partition("a=fingerprint:sha-256 ")
        message["sdp"] = f"{head}a=fingerprint:sha-256 {OTHER}{tail[95:]}"
    return message


def weak_fingerprint(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "leg.offer":
        message["sdp"] = message["sdp"].replace("fingerprint:sha-256", "fingerprint:sha-1")
    return message


def as_leg_wants_to_send(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "leg.offer":
        message["sdp"] = message["sdp"].replace("a=recvonly", "a=sendrecv")
    return message


def for_one_party_only(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "recording.grant":
        body = message["grant"].split(".")[0]
        grant = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        grant["consents"] = grant["consents"][:1]
        message["grant"] = token(**grant)
    return message


def for_more_than_was_ticked(message: dict[str, Any]) -> dict[str, Any]:
    if message["type"] == "recording.grant":
        body = message["grant"].split(".")[0]
        grant = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        grant["purposes"] = ["quality", "evidence"]
        message["grant"] = token(**grant)
    return message


def with_another_signature(message: dict[str, Any]) -> dict[str, Any]:
    return in_its_name(message, lambda one, grant: one | {"signature": "A" * 86})


def with_a_key_of_the_servers(message: dict[str, Any]) -> dict[str, Any]:
    """As whoever owns the server could sign in this party's name, and the recorder would accept."""

    def forge(one: dict[str, Any], grant: dict[str, Any]) -> dict[str, Any]:
        signer = Signer(grant["session"], one["party"])
        made = signer.consent(grant["issued_ms"], grant["request"], one["event"], *one["purposes"])
        plain: dict[str, Any] = json.loads(msgspec.json.encode(made))
        return plain

    return in_its_name(message, forge)


Fields = dict[str, Any]


def in_its_name(message: Fields, change: Callable[[Fields, Fields], Fields]) -> Fields:
    """A grant whose every consent says something else."""
    if message["type"] == "recording.grant":
        body = message["grant"].split(".")[0]
        grant = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
        grant["consents"] = [change(one, grant) for one in grant["consents"]]
        message["grant"] = token(**grant)
    return message


def without_showing_it(message: dict[str, Any]) -> dict[str, Any] | None:
    on = message["type"] == "recording.state" and message["recording"]["state"] == "on"
    return None if on else message


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (for_more_than_was_ticked, "consent.purposes"),
        (without_showing_it, "status.off"),
        (with_another_signature, "consent.signature"),
        (with_a_key_of_the_servers, "consent.signature"),
        (other_fingerprint, "fingerprint.mismatch"),
        (weak_fingerprint, "fingerprint.mismatch"),
        (as_leg_wants_to_send, "sdp.direction"),
        (for_one_party_only, "parties.mismatch"),
    ],
)
async def test_only_the_leg_that_everyone_agreed_to(
    browser: Browser,
    shared: Product,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[dict[str, Any]], dict[str, Any] | None],
    code: str,
) -> None:
    """All consented, but what comes is not what was granted."""
    agent, customer, between = await intercepted_call(browser, shared, monkeypatch)
    made = await customer.page.evaluate("window.made")
    between.change = change
    await ask(agent)
    await agent.allow()
    await customer.allow()
    await until("refused", lambda: code in between.refusals())
    assert await customer.page.evaluate("window.made") == made
    assert between.answers() == []
    assert (await customer.stats())["legBytesSent"] == 0


async def test_a_silent_server_ends_the_leg(
    browser: Browser, shared: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The leg is cut by the browser itself when signaling is silent for 5 s."""
    agent, customer, between = await intercepted_call(browser, shared, monkeypatch)
    await ask(agent)
    await agent.allow()
    await customer.allow()
    await customer.until("s.legState === 'connected'")
    began = asyncio.get_running_loop().time()
    between.change = lambda message: None
    await customer.until("s.legState !== 'connected'")
    assert asyncio.get_running_loop().time() - began < 9
    before = (await customer.stats())["remoteFramesDecoded"]
    await customer.until(f"s.remoteFramesDecoded > {before} + 10")
