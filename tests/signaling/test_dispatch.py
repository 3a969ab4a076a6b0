"""What each message does: who is told, which use case is asked, who waits for whom."""

import asyncio
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.errors import Conflict, Unavailable
from avsession.messages import FromParty, FromRecorder
from avsession.recording import End, encode_line, sign_entry
from signaling.dispatch import PARTY, RECORDER, Now
from signaling.limits import Limits, Rate
from tests.signaling.world import (
    AGENT,
    CUSTOMER,
    KEY,
    RECORDING,
    REQUEST,
    STRANGER,
    World,
    ident,
    world,
)

pytestmark = pytest.mark.timeout(30)
OFFER = (Path(__file__).parent.parent / "avsession/sdp/chromium-offer.sdp").read_bytes().decode()
CANDIDATE = "candidate:1 1 udp 2122194687 192.0.2.2 42252 typ host"
HASH = "0" * 64


def test_the_table_knows_every_message() -> None:
    assert set(PARTY) == set(get_args(FromParty))
    assert set(RECORDER) == set(get_args(FromRecorder))
    for rule in (*PARTY.values(), *RECORDER.values()):
        assert isinstance(getattr(Limits(), rule.rate), Rate)


# --- relays


async def test_descriptions_and_candidates_reach_the_other_party_alone(there: World) -> None:
    async with (
        there.page(AGENT) as agent,
        there.page(CUSTOMER) as customer,
        there.page(STRANGER) as stranger,
    ):
        await agent.say(type="describe", to=CUSTOMER, kind="offer", sdp=OFFER)
        assert await customer.next() == {
            "type": "described", "sender": AGENT, "kind": "offer", "sdp": OFFER
        }  # fmt: skip
        await customer.say(type="describe", to=AGENT, kind="rollback")
        assert (await agent.next())["sender"] == CUSTOMER
        await customer.say(type="trickle", to=AGENT, candidate=CANDIDATE, mid="0", line=0)
        assert await agent.next() == {
            "type": "trickled", "sender": CUSTOMER, "candidate": CANDIDATE,
            "mid": "0", "line": 0,
        }  # fmt: skip
        await customer.say(type="trickle", to=AGENT, candidate="")
        assert (await agent.next())["candidate"] == ""
        await stranger.say(type="ping")
        assert await stranger.next() == {"type": "pong"}


async def test_numbers_and_confirmations_go_with_what_is_relayed(there: World) -> None:
    """They are between the pages: the server keeps nothing of them."""
    marked = {"run": "r" * 16, "n": 7}
    async with there.page(AGENT) as agent, there.page(CUSTOMER) as customer:
        await agent.say(type="describe", to=CUSTOMER, kind="offer", sdp=OFFER, **marked)
        await agent.say(type="trickle", to=CUSTOMER, candidate=CANDIDATE, **marked)
        for kind in ("described", "trickled"):
            said = await customer.next()
            assert said["type"] == kind
            assert marked.items() <= said.items()
        await customer.say(type="confirm", to=AGENT, again=True, **marked)
        assert await agent.next() == {
            "type": "confirmed", "sender": CUSTOMER, "again": True, **marked
        }  # fmt: skip


@pytest.mark.parametrize("to", [STRANGER, ident("pty", "d"), CUSTOMER])
async def test_a_party_elsewhere_or_nowhere_or_oneself(there: World, to: str) -> None:
    """The same answer for all three, so that nobody can be looked for."""
    async with there.page(CUSTOMER) as customer, there.page(STRANGER) as stranger:
        for message in (
            {"type": "describe", "to": to, "kind": "offer", "sdp": OFFER},
            {"type": "trickle", "to": to, "candidate": CANDIDATE},
        ):
            await customer.say(**message)
            assert await customer.next() == {
                "type": "error",
                "code": "not_found",
                "message": "That party is not connected to your session.",
                "key": None,
            }
        await stranger.say(type="ping")
        assert await stranger.next() == {"type": "pong"}


async def test_relays_do_not_wait_for_use_cases(there: World) -> None:
    """The call goes on while the database does not answer."""
    stuck = asyncio.Event()
    there.domain.does["shown"] = lambda *_: stuck.wait()
    async with there.page(AGENT) as agent, there.page(CUSTOMER) as customer:
        await customer.say(type="consent.shown", request=REQUEST, notice=HASH, language="en")
        await there.domain.called("shown")
        await customer.say(type="trickle", to=AGENT, candidate=CANDIDATE)
        assert (await agent.next())["type"] == "trickled"
        stuck.set()


RELAYED = "candidate:2 1 udp 41885439 198.51.100.3 50000 typ relay raddr 192.0.2.2 rport 42252"


async def test_a_page_that_lies_cannot_show_an_address_where_only_relays_may_be(
    files: tuple[Path, Path],
) -> None:
    """Neither to the other party nor to the recorder, in a description or by itself."""
    lying = OFFER.replace("a=ice-ufrag", f"a={RELAYED}\r\na=ice-ufrag", 1)
    hidden = RELAYED.replace("192.0.2.2 rport 42252", "0.0.0.0 rport 9")
    async with (
        world(files, relay_only=True) as there,
        there.page(AGENT) as agent,
        there.page(CUSTOMER) as customer,
    ):
        await customer.say(type="describe", to=AGENT, kind="offer", sdp=lying)
        await customer.say(type="trickle", to=AGENT, candidate=CANDIDATE)
        await customer.say(type="trickle", to=AGENT, candidate=RELAYED)
        await customer.say(type="trickle", to=AGENT, candidate="")
        await customer.say(type="describe", to=AGENT, kind="rollback")
        described, relayed, end, rollback = [await agent.next() for _ in range(4)]
        assert (relayed["candidate"], end["candidate"], rollback["sdp"]) == (hidden, "", "")
        leg = {"recording": RECORDING, "generation": 1}
        await customer.say(type="leg.answer", **leg, sdp=lying)
        await customer.say(type="leg.trickle", **leg, candidate=CANDIDATE)
        await customer.say(type="leg.trickle", **leg, candidate=RELAYED)
        answered = await there.domain.called("leg_answer")
        trickled = await there.domain.called("leg_trickle")
        assert trickled[2].candidate == hidden
        for text in (described["sdp"], answered[2].sdp):
            assert f"a={hidden}" in text
            assert "192.0.2.2" not in text
            assert text.count("a=candidate") == 1
        # what is hidden keeps its number, so that the other page misses none
        marked = {"run": "r" * 16, "n": 1}
        await customer.say(type="trickle", to=AGENT, candidate=CANDIDATE, **marked)
        said = await agent.next()
        assert (said["candidate"], said["run"], said["n"]) == ("", *marked.values())


# --- use cases


async def test_each_message_of_a_party_asks_its_use_case(there: World) -> None:
    asked: dict[str, dict[str, Any]] = {
        "enrol": {
            "type": "key.enrol", "public_key": "k", "challenge": "c", "proof": "p", "key": KEY,
        },
        "request_recording": {"type": "recording.request", "purposes": ["quality"], "key": KEY},
        "shown": {"type": "consent.shown", "request": REQUEST, "notice": HASH, "language": "en"},
        "give": {
            "type": "consent.give", "request": REQUEST, "notice": HASH, "language": "en",
            "purposes": ["quality"], "key": KEY,
        },
        "refuse": {"type": "consent.refuse", "request": REQUEST, "key": KEY},
        "more_time": {"type": "consent.extend", "request": REQUEST},
        "withdraw": {"type": "consent.withdraw", "request": REQUEST, "key": KEY},
        "choose_fate": {"type": "consent.fate", "request": REQUEST, "fate": "keep", "key": KEY},
        "stop": {"type": "recording.stop", "request": REQUEST, "key": KEY},
        "pause": {"type": "recording.pause", "request": REQUEST, "key": KEY},
        "resume": {"type": "recording.resume", "request": REQUEST, "generation": 2, "key": KEY},
        "leg_answer": {"type": "leg.answer", "recording": RECORDING, "generation": 1, "sdp": OFFER},
        "leg_trickle": {
            "type": "leg.trickle", "recording": RECORDING, "generation": 1, "candidate": CANDIDATE,
        },
        "leg_failed": {
            "type": "leg.failed", "recording": RECORDING, "generation": 1, "reason": "ice",
        },
        "left": {"type": "leave"},
    }  # fmt: skip
    assert {message["type"] for message in asked.values()} == {
        kind.__struct_config__.tag for kind, rule in PARTY.items() if not isinstance(rule, Now)
    }
    async with there.page(CUSTOMER) as page:
        for name, message in asked.items():
            await page.say(**message)
            call = await there.domain.called(name)
            assert call[1] == CUSTOMER
            if "key" in message:
                assert call[2].key == KEY
                assert await page.next() == {"type": "ack", "key": KEY, "result": {}}


async def test_an_acknowledgement_says_what_came_of_it(there: World) -> None:
    async def withdraw(owner: str, message: Any) -> dict[str, str]:
        return {"state": "withdrawn"}

    there.domain.does["withdraw"] = withdraw
    async with there.page(CUSTOMER) as page:
        await page.say(type="consent.withdraw", request=REQUEST, key=KEY)
        assert (await page.next())["result"] == {"state": "withdrawn"}


@pytest.mark.parametrize(
    ("trouble", "code"), [(Unavailable(), "unavailable"), (ValueError(), "error")]
)
async def test_a_manifest_line_that_is_not_taken_is_refused_by_name(
    there: World, trouble: Exception, code: str
) -> None:
    """Whatever went wrong, so that the recorder can stop that recording at once."""

    async def manifest_line(worker: str, message: Any) -> None:
        raise trouble

    there.domain.does["manifest_line"] = manifest_line
    end = End(recording=RECORDING, n=7, prev="", at_ms=0, state="sealed", duration_ms=0)
    line = encode_line(sign_entry(end, Ed25519PrivateKey.generate())).decode()
    async with there.worker() as worker:
        for said, number in ((line, 7), ("{}", -1)):
            await worker.say(type="worker.manifest", recording=RECORDING, line=said)
            assert await worker.hear("recorder.refused") == {
                "type": "recorder.refused", "recording": RECORDING, "n": number, "code": code,
            }  # fmt: skip


async def test_a_withdrawal_waits_for_nothing_and_what_follows_waits_for_it(there: World) -> None:
    stuck, writing = asyncio.Event(), asyncio.Event()
    there.domain.does["give"] = lambda *_: stuck.wait()
    there.domain.does["withdraw"] = lambda *_: writing.wait()
    async with there.page(CUSTOMER) as page:
        await page.say(type="consent.give", request=REQUEST, notice=HASH, language="en",
                       purposes=["quality"], key=KEY)  # fmt: skip
        await there.domain.called("give")
        await page.say(type="consent.withdraw", request=REQUEST, key=KEY)
        await there.domain.called("withdraw")
        await page.say(type="consent.fate", request=REQUEST, fate="keep", key=KEY)
        stuck.set()
        await page.hear("ack")
        # give is done, the withdrawal is not: its fate must not be chosen yet
        await page.say(type="ping")
        await page.hear("pong")
        assert there.domain.calls.empty()
        writing.set()
        await there.domain.called("choose_fate")


async def test_a_withdrawal_that_overtakes_its_consent_is_held_until_it_is_tried_again(
    there: World,
) -> None:
    """Nothing opens in between: what it takes back is not there yet, and is about to be."""
    stuck, tries = asyncio.Event(), 0

    async def withdraw(owner: str, message: Any) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            assert there.domain.held == []
            asyncio.get_running_loop().call_soon(stuck.set)
            raise Conflict

    async def give(owner: str, message: Any) -> None:
        await stuck.wait()
        assert there.domain.held == [(CUSTOMER, KEY)]

    there.domain.does.update(give=give, withdraw=withdraw)
    async with there.page(CUSTOMER) as page:
        await page.say(type="consent.give", request=REQUEST, notice=HASH, language="en",
                       purposes=["quality"], key="g" * 16)  # fmt: skip
        await there.domain.called("give")
        await page.say(type="consent.withdraw", request=REQUEST, key=KEY)
        for key in ("g" * 16, KEY):
            assert await page.next() == {"type": "ack", "key": key, "result": {}}
        await page.say(type="consent.withdraw", request=REQUEST, key="w" * 16)
        assert (await page.next())["type"] == "ack"
    assert tries == 3
    assert len(there.domain.held) == 1


async def test_one_party_is_not_held_up_by_another(there: World) -> None:
    stuck = asyncio.Event()

    async def more_time(owner: str, message: Any) -> None:
        if owner == AGENT:
            await stuck.wait()

    there.domain.does["more_time"] = more_time
    async with there.page(AGENT) as agent, there.page(CUSTOMER) as customer:
        await agent.say(type="consent.extend", request=REQUEST)
        await there.domain.called("more_time")
        await customer.say(type="consent.extend", request=REQUEST)
        assert (await there.domain.called("more_time"))[1] == CUSTOMER
        stuck.set()


async def test_errors_of_a_use_case(there: World, caplog: pytest.LogCaptureFixture) -> None:
    async def stop(owner: str, message: Any) -> None:
        raise Conflict("That is over.")

    async def withdraw(owner: str, message: Any) -> None:
        raise RuntimeError("the customer's name is Ada")

    there.domain.does.update(stop=stop, withdraw=withdraw)
    async with there.page(CUSTOMER) as page:
        await page.say(type="recording.stop", request=REQUEST, key=KEY)
        assert await page.next() == {
            "type": "error", "code": "conflict", "message": "That is over.", "key": KEY
        }  # fmt: skip
        await page.say(type="consent.withdraw", request=REQUEST, key=KEY)
        said = await page.next()
        assert (said["code"], said["key"]) == ("error", KEY)
        assert "Ada" not in json.dumps(said)
    assert "consent.withdraw failed for party" in caplog.text


# --- recorders


async def test_each_message_of_a_recorder_asks_its_use_case(there: World) -> None:
    leg = {"recording": RECORDING, "generation": 1, "party": CUSTOMER}
    async with there.worker() as worker:
        await worker.say(type="worker.leg.offer", **leg, sdp=OFFER)
        assert (await there.domain.called("leg_offer"))[2].sdp == OFFER
        await worker.say(type="worker.leg.state", **leg, state="connected")
        await there.domain.called("leg_state")
        await worker.say(type="worker.manifest", recording=RECORDING, line="{}")
        assert (await worker.next())["type"] == "recorder.accepted"
        await worker.say(
            type="worker.grant_refused", recording=RECORDING, generation=1, code="grant.stale"
        )
        await there.domain.called("grant_refused")
        await worker.say(type="worker.leg.offer", **leg, sdp="v=0 and no more")
        assert (await worker.next())["code"] == "sdp.refused"


async def test_heartbeats_and_other_recordings_do_not_wait_for_a_slow_one(there: World) -> None:
    stuck = asyncio.Event()

    async def manifest_line(worker: str, message: Any) -> None:
        if message.recording == RECORDING:
            await stuck.wait()

    there.domain.does["manifest_line"] = manifest_line
    async with there.worker() as worker:
        await worker.say(type="worker.manifest", recording=RECORDING, line="1")
        await worker.say(type="worker.manifest", recording=RECORDING, line="2")
        await worker.say(type="worker.manifest", recording=ident("rec", "b"), line="3")
        lines = [(await there.domain.called("manifest_line"))[2].line for _ in range(2)]
        assert lines == ["1", "3"]
        await worker.say(type="worker.heartbeat", sent=2)
        assert (await worker.next())["sent"] == 2
        stuck.set()
        assert (await there.domain.called("manifest_line"))[2].line == "2"


async def test_a_refused_consent_is_written_down_and_a_refused_relay_is_not(there: World) -> None:
    """By the connection's party. A lost race of a candidate is no attempt at anything."""

    async def refuses(*_: object) -> None:
        raise Conflict

    written: list[tuple[object, ...]] = []

    async def refused(*what: object) -> None:
        written.append(what)

    there.domain.does |= {"refuse": refuses, "leg_trickle": refuses, "refused": refused}
    async with there.page(CUSTOMER) as customer:
        await customer.say(
            type="leg.trickle", recording=RECORDING, generation=1, candidate="", mid="0"
        )
        assert (await customer.next())["code"] == "conflict"
        await customer.say(type="consent.refuse", request=REQUEST, key=KEY)
        assert (await customer.next())["code"] == "conflict"
        await customer.say(type="ping")
        assert (await customer.next())["type"] == "pong"
    assert written == [("conflict", CUSTOMER, None)]
