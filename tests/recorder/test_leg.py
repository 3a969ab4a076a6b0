import asyncio
import itertools
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from avsession.errors import SdpRefused
from recorder import leg as leg_module
from recorder.frames import Kind
from recorder.leg import SILENCE_MS, LegState
from recorder.shares import STUN_A_SECOND
from tests.recorder.harness import Captured, as_webm, decode, monotonic_ms, streams
from tests.recorder.publishers import CHROMIUM_FLAGS, PAGE_ANSWERS, AiortcPublisher


@pytest.fixture
async def captured() -> AsyncIterator[Captured]:
    made = Captured()
    yield made
    await made.close()


@pytest.fixture
async def publisher() -> AsyncIterator[AiortcPublisher]:
    made = AiortcPublisher()
    yield made
    await made.close()


async def test_records_an_aiortc_peer(
    captured: Captured, publisher: AiortcPublisher, tmp_path: Path
) -> None:
    epoch = monotonic_ms()
    await captured.leg.accept(await publisher.answer(await captured.leg.offer()))
    captured.start()
    await captured.until(
        lambda: captured.count(Kind.VIDEO) > 45 and captured.count(Kind.AUDIO) > 70
    )
    await captured.close()
    assert [state for state, _ in captured.states] == ["connecting", "connected", "closed"]
    path = tmp_path / "a.webm"
    path.write_bytes(as_webm(captured.frames, epoch))
    assert decode(path) == ""
    assert streams(path) == {"vp8": captured.count(Kind.VIDEO), "opus": captured.count(Kind.AUDIO)}


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
async def test_records_chromium_with_keyframes_in_time(captured: Captured, tmp_path: Path) -> None:
    epoch = monotonic_ms()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = await browser.new_page()
        await page.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
        await page.goto("https://localhost/")
        answered = await page.evaluate(
            PAGE_ANSWERS, {"offer": await captured.leg.offer(), "audio": True, "video": True}
        )
        await captured.leg.accept(answered["answer"])
        for candidate in [*answered["candidates"], "", None]:
            await captured.leg.add_candidate(candidate)
        captured.start()
        await captured.until(lambda: sum(f.keyframe for f in captured.of(Kind.VIDEO)) >= 3, 30)
        await captured.close()
        await browser.close()
    keys = [f.timestamp_ms for f in captured.of(Kind.VIDEO) if f.keyframe]
    assert max(b - a for a, b in itertools.pairwise(keys)) <= 4000
    path = tmp_path / "c.webm"
    path.write_bytes(as_webm(captured.frames, epoch))
    assert decode(path) == ""
    found = streams(path)
    assert found["vp8"] == captured.count(Kind.VIDEO) > 60
    assert found["opus"] == captured.count(Kind.AUDIO) > 150


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Chromium")
async def test_a_browser_that_hides_its_addresses_is_found_by_its_checks(
    captured: Captured,
) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
        )
        page = await browser.new_page()
        await page.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
        await page.goto("https://localhost/")
        answered = await page.evaluate(
            PAGE_ANSWERS, {"offer": await captured.leg.offer(), "audio": True, "video": False}
        )
        lines = [x for x in answered["answer"].splitlines() if not x.startswith("a=candidate")]
        await captured.leg.accept("\r\n".join(lines) + "\r\n")
        name = (
            "candidate:1 1 udp 2113937151 0aee52e6-d364-47c6-9c79-1e7e2f4bd8ff.local 5000 typ host"
        )
        await captured.leg.add_candidate(name)
        await captured.leg.add_candidate("")
        captured.start()
        await captured.until(lambda: captured.count(Kind.AUDIO) > 10)
        await captured.close()
        await browser.close()


async def test_another_certificate_than_the_answer_names_ends_the_leg(
    captured: Captured, publisher: AiortcPublisher
) -> None:
    answer = await publisher.answer(await captured.leg.offer())
    line = next(x for x in answer.splitlines() if x.startswith("a=fingerprint"))
    await captured.leg.accept(
        answer.replace(line, line[:-2] + ("00" if line[-2:] != "00" else "11"))
    )
    captured.start()
    await captured.until(lambda: captured.leg.state is LegState.FAILED)
    assert captured.states[-1] == (LegState.FAILED, "dtls")
    assert captured.frames == []


async def test_answered_once_only(captured: Captured, publisher: AiortcPublisher) -> None:
    answer = await publisher.answer(await captured.leg.offer())
    with pytest.raises(SdpRefused):
        await captured.leg.accept(answer.replace("sha-256", "sha-1"))
    await captured.leg.accept(answer)
    with pytest.raises(SdpRefused):
        await captured.leg.accept(answer)


async def test_hostile_datagrams_change_nothing(
    captured: Captured, publisher: AiortcPublisher
) -> None:
    offer = await captured.leg.offer()
    targets = [
        (parts[4], int(parts[5]))
        for line in offer.splitlines()
        if line.startswith("a=candidate") and ":" not in (parts := line.split())[4]
    ]
    junk = [
        b"",
        b"\x00",
        b"\x00\x01\x00\x00" + bytes(16),  # STUN without a cookie
        b"\x00\x01\x00\x08\x21\x12\xa4\x42" + bytes(12) + b"\x00\x06\x00\x40abcd",
        b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28",  # a DTLS alert: fatal handshake failure
        b"\x80\x60" + bytes(30),
        b"\x80\xc8" + bytes(30),
        b"\xff" * 1400,
        b"\x80" * 9000,
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:

        def attack() -> None:
            for target in targets:
                for data in junk:
                    stranger.sendto(data, target)

        attack()
        await captured.leg.accept(await publisher.answer(offer))
        captured.start()
        attack()
        await captured.until(lambda: captured.count(Kind.AUDIO) > 10)
        attack()
        # the same from the address that was validated: handed in where the socket would
        protocol, address = captured.leg._peer or pytest.fail("no peer")
        for data in junk:
            protocol.datagram_received(data, address)
        seen = captured.count(Kind.AUDIO)
        await captured.until(lambda: captured.count(Kind.AUDIO) > seen + 10)
    assert captured.leg.state is LegState.CONNECTED
    assert captured.leg._ice._queue.qsize() == 0


async def test_a_strangers_flood_does_not_silence_the_peer(
    captured: Captured, publisher: AiortcPublisher
) -> None:
    """The browser's checks must be answered, or its consent to send (RFC 7675) runs out."""
    await captured.leg.accept(await publisher.answer(await captured.leg.offer()))
    captured.start()
    await captured.until(lambda: captured.leg._peer is not None)
    protocol, address = captured.leg._peer or pytest.fail("no peer")
    check = b"\x00\x11\x00\x00\x21\x12\xa4\x42" + bytes(12)  # an indication: no answer
    for _ in range(2 * STUN_A_SECOND):
        protocol.datagram_received(check, ("192.0.2.1", 9))
    refused = captured.leg.refused
    protocol.datagram_received(check, address)
    assert captured.leg.refused == refused
    for _ in range(2 * STUN_A_SECOND):
        protocol.datagram_received(check, address)
    assert captured.leg.refused >= refused + STUN_A_SECOND


async def test_the_chosen_pairs_checks_go_on_whichever_pair_the_peer_sends_on(
    captured: Captured, publisher: AiortcPublisher
) -> None:
    """Their answers must be heard, or our own consent to send runs out and the leg with it."""
    await captured.leg.accept(await publisher.answer(await captured.leg.offer()))
    captured.start()
    await captured.until(lambda: captured.leg.state is LegState.CONNECTED)
    leg, ice = captured.leg, captured.leg._ice
    pair = ice._nominated[1]
    leg._peer = (pair.protocol, ("192.0.2.1", 9))
    leg._validated = lambda *_: False  # type: ignore[method-assign]
    request = ice.build_request(pair, nominate=False)
    key = (ice.remote_password or "").encode()
    await pair.protocol.request(request, pair.remote_addr, integrity_key=key, retransmissions=2)


async def test_a_stun_flood_is_dropped_unread(captured: Captured) -> None:
    await captured.leg.offer()
    protocol = captured.leg._ice._protocols[0]
    for _ in range(1000):
        protocol.datagram_received(
            b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12), ("192.0.2.9", 9)
        )
    assert captured.leg.refused >= 1000 - STUN_A_SECOND
    assert len(captured.leg._ice._early_checks) <= 100


async def test_silence_ends_the_leg(publisher: AiortcPublisher) -> None:
    late_ms = 0.0
    captured = Captured(now_ms=lambda: monotonic_ms() + late_ms)
    await captured.leg.accept(await publisher.answer(await captured.leg.offer()))
    await captured.until(lambda: captured.leg.state is LegState.CONNECTED)
    await publisher.close()
    # aiortc says goodbye; what a lost path does not
    captured.leg.state = LegState.CONNECTED
    late_ms = SILENCE_MS + 1000
    captured.leg.tick()
    assert captured.states[-1] in [(LegState.FAILED, "silent"), (LegState.FAILED, "peer closed")]
    await captured.close()


async def test_a_flood_ends_the_leg(publisher: AiortcPublisher) -> None:
    late_ms = 0.0
    captured = Captured(now_ms=lambda: monotonic_ms() + late_ms, cap_bps=1000)
    await captured.leg.accept(await publisher.answer(await captured.leg.offer()))
    captured.start()
    await captured.until(lambda: captured.count(Kind.VIDEO) > 5)

    def failed() -> bool:
        return captured.leg.state is LegState.FAILED

    while not failed():
        enough = captured.count(Kind.VIDEO) + 3
        await captured.until(lambda enough=enough: failed() or captured.count(Kind.VIDEO) > enough)  # type: ignore[misc]
        late_ms += 1000
    assert captured.states[-1] == (LegState.FAILED, "flood")
    await captured.close()


async def test_a_calm_leg_is_read_seldom_and_a_new_one_at_each_tick(
    publisher: AiortcPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_ms = 0.0
    captured = Captured(now_ms=lambda: 1_000.0 + late_ms)
    await captured.leg.accept(await publisher.answer(await captured.leg.offer()))
    await captured.until(lambda: captured.leg.state is LegState.CONNECTED)
    async with asyncio.timeout(10):
        while publisher.pc.connectionState != "connected":  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    drained: list[float] = []
    intake = captured.leg._intake or pytest.fail("no intake")
    monkeypatch.setattr(intake, "drain", drained.append)

    def ticks(number: int) -> int:
        nonlocal late_ms
        drained.clear()
        for _ in range(number):
            late_ms += 20.0
            captured.leg.tick()
        return len(drained)

    assert ticks(10) == 10
    late_ms += leg_module.SETTLE_MS
    assert 1 <= ticks(20) <= 20 * 20 // leg_module.CALM_MS + 1
    await captured.close()


async def test_nobody_there_is_a_timeout(
    captured: Captured, publisher: AiortcPublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leg_module, "CONNECT_S", 0.2)
    answer = await publisher.answer(await captured.leg.offer())
    await publisher.close()
    await captured.leg.accept(answer)
    await captured.until(lambda: captured.leg.state is LegState.FAILED)
    assert captured.states[-1] == (LegState.FAILED, "timeout")


@pytest.mark.parametrize(
    "candidate",
    [
        None, "", "candidate:", "candidate:1 1 udp x 192.0.2.1 1 typ host",
        "candidate:1 1 tcp 1 192.0.2.1 9 typ host tcptype active",
        "candidate:1 2 udp 1 192.0.2.1 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 0 typ host",
        "candidate:1 1 udp 1 192.0.2.1 70000 typ host",
        "candidate:1 1 udp 1 224.0.0.1 9 typ host",
        "candidate:1 1 udp 1 name.local 9 typ host",
        "candidate:1 1 udp 1 example.com 9 typ host",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host raddr",
        "candidate:1 1 udp 1 192.0.2.1 9 typ host raddr 1 rport x",
    ],
)  # fmt: skip
async def test_useless_candidates_do_no_harm(captured: Captured, candidate: str | None) -> None:
    await captured.leg.offer()
    await captured.leg.add_candidate(candidate)
    assert len(captured.leg._ice.remote_candidates) <= (candidate or "").endswith("raddr")


async def test_candidates_are_counted(captured: Captured) -> None:
    await captured.leg.offer()
    for port in range(1, 100):
        await captured.leg.add_candidate(f"candidate:1 1 udp 1 192.0.2.1 {port} typ host")
    assert len(captured.leg._ice.remote_candidates) == 32


async def test_closing_is_safe_at_any_time() -> None:
    fresh = Captured()
    await fresh.close()
    gathering = Captured()
    offer = gathering.tasks.spawn(gathering.leg.offer(), name="offer")
    await asyncio.sleep(0)
    offer.cancel()
    await gathering.close()
    with pytest.raises(ConnectionError):
        await gathering.leg.offer()
    offered = Captured()
    await offered.leg.offer()
    await offered.close()
    await offered.leg.close()
    assert offered.states == [(LegState.CLOSED, "closed")]
    await asyncio.sleep(0)
