import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pyrage
import pytest

from avsession.grant import Grant, GrantedLeg
from avsession.messages import IceServer, WorkerWelcome
from avsession.tasks import Tasks
from recorder.frames import EncodedFrame, Kind, Span
from recorder.gate import MOST_LATE_MS, Gate
from recorder.leg import Certificate, Leg
from recorder.party import ANSWER_MS, RETRY_MS, SOON_MS, LegSettings, Party, Reports
from recorder.spool import Spool
from recorder.track import SegmentWriter, Timeline
from tests.recorder.harness import monotonic_ms
from tests.recorder.packets import audio_packet
from tests.recorder.publishers import AiortcPublisher
from tests.support.ports import free_port


class Seat:
    """A party with everything around it noted, on a clock that can be put forward."""

    def __init__(self, folder: Path) -> None:
        self.ahead_ms = 0.0
        self.offers: list[str] = []
        self.states: list[tuple[str, str]] = []
        self.clusters: list[tuple[list[EncodedFrame], str]] = []
        self.retired: list[Leg] = []
        self.ended: list[tuple[dict[Kind, Span], bool, float]] = []
        self.changed = asyncio.Event()
        self.tasks = Tasks()
        self.spool = Spool(folder / "spool")
        recipient = str(pyrage.x25519.Identity.generate().to_public())
        writer = SegmentWriter(
            "trk_x", recipient, self.spool.open("rec_x", lambda: 1), Gate(),
            Timeline(0, lambda: (0.0, 0.0)),
        )  # fmt: skip
        grant = Grant(
            id="g", session="s", request="r", recording="rec_x", generation=1, epoch_ms=0,
            issued_ms=0, expires_ms=1, worker="w", fingerprint="f", recorder_key="k",
            purposes=(), consents=(), legs=(GrantedLeg("p", "trk_x", recipient),),
        )  # fmt: skip
        self.settings = LegSettings(Certificate(), (), self.now_ms)
        self.party = Party(
            grant, writer,
            settings=self.settings,
            reports=Reports(
                self._offer, self._state, self._cluster, self.retired.append, self._ended
            ),
            tasks=self.tasks, gap_reason="no.media",
        )  # fmt: skip

    def now_ms(self) -> float:
        return monotonic_ms() + self.ahead_ms

    def tick(self) -> None:
        self.party.tick(self.now_ms())

    def _offer(self, sdp: str) -> None:
        self.offers.append(sdp)
        self.changed.set()

    def _state(self, state: str, reason: str) -> None:
        self.states.append((state, reason))
        self.changed.set()

    def _ended(self, losing: dict[Kind, Span], legless: bool, moment_ms: float) -> None:
        self.ended.append((losing, legless, moment_ms))

    def _cluster(self, frames: list[EncodedFrame], reason: str) -> None:
        self.clusters.append((frames, reason))

    async def offered(self, count: int) -> None:
        async with asyncio.timeout(10):
            while len(self.offers) < count:
                self.changed.clear()
                await self.changed.wait()

    async def reached(self, state: str) -> None:
        async with asyncio.timeout(10):
            while state not in [name for name, _ in self.states]:
                self.tick()
                await asyncio.sleep(0.02)

    async def close(self) -> None:
        self.party.close(float("-inf"))
        for leg in self.retired:
            await leg.close()
        await self.tasks.close()
        self.spool.close()


@pytest.fixture
async def seat(tmp_path: Path) -> AsyncIterator[Seat]:
    made = Seat(tmp_path)
    yield made
    await made.close()


async def test_an_offer_names_the_address_under_which_we_are_reached(seat: Seat) -> None:
    seat.settings.address = "203.0.113.7"
    seat.tick()
    await seat.offered(1)
    hosts = [line for line in seat.offers[0].split("\r\n") if line.endswith("typ host")]
    assert any(" 203.0.113.7 " in line for line in hosts)
    assert all(" 203.0.113.7 " in line or ":" in line.split(" ")[4] for line in hosts)


async def test_an_offer_that_nobody_answers_is_made_again(seat: Seat) -> None:
    seat.tick()
    await seat.offered(1)
    seat.ahead_ms += ANSWER_MS + 1
    seat.tick()
    assert seat.states == [("failed", "no answer")]
    seat.tick()
    assert len(seat.retired) == 1
    seat.ahead_ms += RETRY_MS[0]
    seat.tick()
    await seat.offered(2)
    assert seat.offers[0] != seat.offers[1]


async def test_turn_that_gives_no_address_is_asked_another_way(
    seat: Seat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next leg takes the next URL; a leg that failed for another reason keeps its own."""
    nowhere = [f"turn:127.0.0.1:{free_port()}?transport=tcp" for _ in range(2)]
    given = IceServer(urls=tuple(nowhere), username="u", credential="c")
    seat.party._settings.relays["rec_x"] = (given,)
    seat.party._settings.relay_only = True
    asked: list[tuple[str, ...]] = []
    usual = seat.party._settings.servers

    def servers(recording: str, turn: int) -> list[IceServer]:
        found = usual(recording, turn)
        asked.append(found[0].urls)
        return found

    monkeypatch.setattr(seat.party._settings, "servers", servers)
    for n in range(3):
        seat.tick()
        await seat.offered(n + 1)
        seat.party.lost()
        seat.ahead_ms += RETRY_MS[n] + 1
    monkeypatch.setattr("recorder.leg.Leg.relayed", True)
    seat.party._turn = 0
    seat.tick()
    await seat.offered(4)
    seat.party.lost()
    seat.ahead_ms += RETRY_MS[3] + 1
    seat.tick()
    await seat.offered(5)
    first, second = given.urls
    assert asked == [(first, second), (second, first)] * 1 + [(first, second)] * 3


def test_each_recording_has_its_own_relay() -> None:
    settings = LegSettings(Certificate(), (), monotonic_ms)
    stun = IceServer(urls=("stun:s",))
    settings.welcome(WorkerWelcome(ice_servers=(stun,), known={}, relay_only=True))
    assert settings.relay_only
    mine = IceServer(urls=("turn:a", "turn:b", "turns:c"), username="1:x", credential="y")
    settings.relays["rec_a"] = (mine,)
    assert settings.servers("rec_a", 0) == [stun, mine]
    assert settings.servers("rec_a", 4)[1].urls == ("turn:b", "turns:c", "turn:a")
    assert settings.servers("rec_a", 4)[1].username == "1:x"
    assert settings.servers("rec_b", 0) == [stun]


async def test_each_failure_in_a_row_waits_longer(seat: Seat) -> None:
    for n, wait in enumerate([*RETRY_MS, RETRY_MS[-1]]):
        seat.tick()
        await seat.offered(n + 1)
        seat.party.lost()
        seat.ahead_ms += wait - 50
        seat.tick()
        assert len(seat.offers) == n + 1
        seat.ahead_ms += 60
    assert {reason for _, reason in seat.states} == {"browser"}


async def test_a_lost_path_is_tried_again_soon_however_often_it_was(seat: Seat) -> None:
    """The network may be back any moment; a browser that refuses has another reason."""
    for n in range(len(RETRY_MS)):
        seat.tick()
        await seat.offered(n + 1)
        seat.party.lost("connection.failed")
        seat.ahead_ms += SOON_MS + 10
    seat.tick()
    await seat.offered(len(RETRY_MS) + 1)
    seat.party.lost("consent.missing")
    seat.ahead_ms += SOON_MS + 10
    seat.tick()
    assert len(seat.offers) == len(RETRY_MS) + 1


async def test_a_bad_answer_costs_the_leg(seat: Seat) -> None:
    seat.tick()
    await seat.offered(1)
    await seat.party.answer("v=0\r\n")
    assert seat.states == [("failed", "sdp.refused")]
    await seat.party.answer("v=0\r\n")
    await seat.party.trickle("candidate:1 1 udp 1 192.0.2.1 9 typ host")
    assert len(seat.states) == 1


async def test_frames_wait_in_the_delay_line_and_a_close_drops_the_late_ones(seat: Seat) -> None:
    publisher = AiortcPublisher()
    seat.tick()
    await seat.offered(1)
    await seat.party.answer(await publisher.answer(seat.offers[0]))
    await seat.reached("capturing")
    moment = seat.now_ms() - 50
    dropped = seat.party.close(moment)
    assert dropped > 0
    kept = [frame for frames, _ in seat.clusters for frame in frames]
    assert kept
    assert max(frame.latest_ms for frame in kept) <= moment
    assert [name for name, _ in seat.states] == ["connected", "capturing", "closed"]
    seat.tick()
    assert len(seat.offers) == 1
    await publisher.close()


async def test_sound_that_came_too_late_at_the_end_is_told(seat: Seat) -> None:
    seat.tick()
    await seat.offered(1)
    now = seat.now_ms()
    seat.party._frames([EncodedFrame(Kind.VIDEO, now, now, b"x")])
    seat.ahead_ms += 2_000
    seat.tick()
    late_ms = now - 2 * MOST_LATE_MS
    seat.party._frames([EncodedFrame(Kind.AUDIO, late_ms, now + 2_000, b"x")])
    seat.party.close(now + 2_000)
    assert seat.ended == [({Kind.AUDIO: Span(late_ms)}, False, now + 2_000)]


async def test_after_closing_no_leg_is_made(seat: Seat) -> None:
    seat.party.close(0)
    seat.ahead_ms += 60_000
    seat.tick()
    assert seat.offers == []
    assert seat.states == []


@pytest.mark.parametrize("how", ["whole", "losing", "lost"])
async def test_what_the_end_leaves_out_is_told(seat: Seat, how: str) -> None:
    seat.tick()
    await seat.offered(1)
    leg, now = seat.party.leg, seat.now_ms()
    assert leg is not None
    for number in (0, 2) if how == "losing" else (0, 1):
        leg.receiver.on_rtp(audio_packet(number, 960 * number), now)
    if how == "lost":
        seat.party.lost()
    seat.party.close(now + 1)
    told = {"whole": [], "losing": [({Kind.AUDIO: Span(now)}, False, now + 1)],
            "lost": [({}, True, now + 1)]}  # fmt: skip
    assert seat.ended == told[how]
