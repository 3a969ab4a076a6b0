"""What a session description may hold: real ones pass, each hostile edit of one is refused."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from avsession import sdp
from avsession.errors import SdpRefused
from avsession.messages import MAX_SDP

FOLDER = Path(__file__).parent / "sdp"
CASES: list[dict[str, Any]] = tomllib.loads((FOLDER / "hostile.toml").read_text("utf-8"))["case"]


def read(name: str) -> str:
    return (FOLDER / name).read_bytes().decode()


OFFER = read("chromium-offer.sdp")


def edited(case: dict[str, Any]) -> str:
    put = case.get("put", "").replace("{pad}", "x" * case.get("pad", 0)) * case.get("times", 1)
    if not case.get("raw"):
        put = put.replace("\n", "\r\n")
    return OFFER.replace(case["find"], put) if "find" in case else OFFER + put


@pytest.mark.parametrize("name", ["chromium-offer", "chromium-answer", "recorder-offer"])
def test_real_descriptions_pass(name: str) -> None:
    text = read(f"{name}.sdp")
    fingerprint = sdp.check(text)
    assert f"a=fingerprint:sha-256 {fingerprint}" in text


@pytest.mark.parametrize("case", CASES, ids=[case["why"] for case in CASES])
def test_hostile_descriptions(case: dict[str, Any]) -> None:
    text = edited(case)
    if case["expect"] == "ok":
        sdp.check(text)
        return
    assert text != OFFER
    with pytest.raises(SdpRefused) as refused:
        sdp.check(text)
    # The sentence reaches logs and pages: it must not carry what an attacker wrote.
    written = [line for line in case.get("put", "").split("\n") if len(line) > 4]
    assert not any(line in str(refused.value) for line in written)


def test_the_fingerprint_is_given_in_upper_case() -> None:
    lower = OFFER.replace("2E:31:71:E0", "2e:31:71:e0")
    assert sdp.check(lower) == sdp.check(OFFER)


CANDIDATES = {
    "candidate:1 1 udp 2122194687 192.0.2.2 42252 typ host": True,
    "candidate:1 1 UDP 2122194687 2001:db8::1 42252 typ host": True,
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 0.0.0.0 rport 0"
    " generation 0 ufrag EEtu network-id 1 network-cost 10": True,
    "candidate:1 1 tcp 1518214911 192.0.2.2 9 typ host tcptype active": True,
    "candidate:1 1 udp 41885439 198.51.100.3 50000 typ relay raddr :: rport 0": True,
    "candidate:1 1 udp 1 3f2504e0-4f89-11d3-9a0c-0305e82c3301.local 9 typ host": True,
    "": False,
    "a=candidate:1 1 udp 2122194687 192.0.2.2 42252 typ host": False,
    "candidate:1 1 sctp 2122194687 192.0.2.2 42252 typ host": False,
    "candidate:1 1 udp 2122194687 192.0.2.2 65536 typ host": False,
    "candidate:1 1 udp 2122194687 192.0.2.999 42252 typ host": False,
    "candidate:1 1 udp 2122194687 192.0.2.2 42252 typ host\r\na=crypto:1": False,
    "candidate:1 1 udp 2122194687 192.0.2.2 42252 typ host\n": False,
    "candidate:1 1 udp 1 192.0.2.2 9 typ srflx raddr name.example rport 0": False,
    "candidate:1 1 udp 1 192.0.2.2 9 typ srflx raddr 0.0.0.0 rport 70000": False,
    "candidate:" + "1 " * 300: False,
}


@pytest.mark.parametrize(("text", "good"), CANDIDATES.items())
def test_candidates(text: str, good: bool) -> None:
    if good:
        sdp.check_candidate(text)
    else:
        with pytest.raises(SdpRefused):
            sdp.check_candidate(text)


@given(st.text(max_size=300))
@example("v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF " + "1 " * 100)
def test_garbage_raises_nothing_else(text: str) -> None:
    for check in (sdp.check, sdp.check_candidate):
        with pytest.raises(SdpRefused):
            check(text)


@given(st.integers(0, len(OFFER) - 1), st.characters(codec="utf-8"))
def test_one_changed_character_never_breaks_the_check(place: int, character: str) -> None:
    text = OFFER[:place] + character + OFFER[place + 1 :]
    try:
        fingerprint = sdp.check(text)
    except SdpRefused:
        return
    assert set(text) <= set(map(chr, range(0x20, 0x7F))) | {"\r", "\n"}
    assert len(fingerprint) == 32 * 3 - 1


def test_the_message_takes_what_the_check_takes() -> None:
    assert sdp.MAX_TEXT == MAX_SDP


# --- only relayed ways

RELAY = "candidate:1 1 udp 41885439 198.51.100.3 50000 typ relay raddr 192.0.2.2 rport 42252"
HIDDEN = "candidate:1 1 udp 41885439 198.51.100.3 50000 typ relay raddr 0.0.0.0 rport 9"


@pytest.mark.parametrize(
    ("candidate", "shown"),
    [
        (RELAY, HIDDEN),
        (f"{RELAY} generation 0 network-id 1", f"{HIDDEN} generation 0 network-id 1"),
        ("candidate:1 1 udp 1 192.0.2.2 42252 typ host", None),
        ("candidate:1 1 udp 1 192.0.2.2 42252 typ srflx raddr 10.0.0.1 rport 1", None),
        ("candidate:1 1 udp 1 192.0.2.2 42252 typ prflx raddr 10.0.0.1 rport 1", None),
        ("candidate:1 1 udp 1 192.0.2.2 42252 typ host typ relay", None),
        (f"{RELAY} raddr 192.0.2.2 rport 1 ufrag aB9 x 192.0.2.2", f"{HIDDEN} ufrag aB9"),
        (RELAY.partition(" raddr")[0], HIDDEN),
        ("candidate:1 1 udp 1 0aee52e6-d364-47c6-9c79-1e7e2f4bd8ff.local 1 typ host", None),
    ],
)
def test_only_relayed_candidates_are_shown_and_nothing_behind_them(
    candidate: str, shown: str | None
) -> None:
    sdp.check_candidate(candidate)
    assert sdp.relayed(candidate) == shown


def test_a_description_keeps_relayed_ways_alone() -> None:
    """Real ones with a relayed candidate put in; what is left is acceptable and has no address."""
    for name in ("chromium-offer", "chromium-answer", "recorder-offer"):
        text = read(f"{name}.sdp").replace("a=ice-ufrag", f"a={RELAY}\r\na=ice-ufrag", 1)
        text = text.replace("a=rtcp:9 IN IP4 0.0.0.0", "a=rtcp:42253 IN IP6 fd00::2")
        text += "a=remote-candidates:1 192.0.2.2 42252\r\n"
        shown = sdp.relayed_only(text)
        assert sdp.check(shown) == sdp.check(text)
        assert f"a={HIDDEN}\r\n" in shown
        assert shown.count("a=candidate") == 1
        for address in ("192.0.2.2", "fd00::2", "127.0.0.1", ".local"):
            assert address not in shown, address
        changed = re.compile("a=cand|a=rtcp:|a=remo|[co]=")
        same = [line for line in text.splitlines() if not changed.match(line)]
        assert [line for line in shown.splitlines() if line in same] == same
        assert sdp.relayed_only(shown) == shown
