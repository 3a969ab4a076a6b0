"""Who is where, and who hears what."""

import pytest

from avsession.errors import NotFound
from avsession.messages import Message, Parties, PartyInfo, Pong, Welcome, WorkerHello
from avsession.ports import Bus
from signaling.connection import End
from signaling.hub import Hub
from tests.signaling.world import (
    AGENT,
    CUSTOMER,
    OTHER_SESSION,
    SESSION,
    STRANGER,
    ident,
    welcome,
    worker_hello,
)


class Ear:
    def __init__(self) -> None:
        self.heard: list[Message] = []
        self.ended: End | None = None

    def tell(self, message: Message) -> None:
        self.heard.append(message)

    def end(self, end: End) -> None:
        self.ended = end


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def ears(hub: Hub) -> dict[str, Ear]:
    found = {AGENT: Ear(), CUSTOMER: Ear(), STRANGER: Ear()}
    hub.attach(AGENT, SESSION, found[AGENT])
    hub.attach(CUSTOMER, SESSION, found[CUSTOMER])
    hub.attach(STRANGER, OTHER_SESSION, found[STRANGER])
    return found


def info(party: str) -> PartyInfo:
    return PartyInfo(party=party, role="agent", name="n", presence="present")


def test_it_is_the_bus(hub: Hub) -> None:
    bus: Bus = hub
    assert bus.workers() == []


def test_the_welcome_says_what_to_come_back_with(hub: Hub) -> None:
    ear = Ear()
    later = Ear()
    hub.attach(AGENT, SESSION, ear, "1-a")
    hub.tell(AGENT, welcome(AGENT))
    hub.attach(AGENT, SESSION, later, "2-b")
    hub.detach(AGENT, ear)
    hub.tell(AGENT, welcome(AGENT))
    for one, resume in ((ear, "1-a"), (later, "2-b")):
        assert [said.resume for said in one.heard if isinstance(said, Welcome)] == [resume]


def test_telling_one_and_telling_all(hub: Hub, ears: dict[str, Ear]) -> None:
    hub.tell(AGENT, Pong())
    hub.tell_session(SESSION, Pong())
    hub.tell(ident("pty", "z"), Pong())
    hub.tell_session(ident("ses", "z"), Pong())
    assert [len(ears[one].heard) for one in (AGENT, CUSTOMER, STRANGER)] == [2, 1, 0]


@pytest.mark.parametrize("to", [STRANGER, AGENT, ident("pty", "z")])
def test_relays_stay_in_the_session(hub: Hub, ears: dict[str, Ear], to: str) -> None:
    with pytest.raises(NotFound):
        hub.relay(AGENT, to, Pong())
    with pytest.raises(NotFound):
        hub.relay(ident("pty", "z"), AGENT, Pong())
    assert not any(ear.heard for ear in ears.values())


def test_a_newer_connection_replaces_and_the_older_cannot_detach_it(
    hub: Hub, ears: dict[str, Ear]
) -> None:
    newer = Ear()
    assert hub.attach(AGENT, SESSION, newer) is ears[AGENT]
    assert not hub.detach(AGENT, ears[AGENT])
    assert hub.connected(AGENT)
    hub.tell(AGENT, Pong())
    assert newer.heard
    assert not ears[AGENT].heard
    assert hub.detach(AGENT, newer)
    assert not hub.connected(AGENT)
    assert not hub.detach(AGENT, newer)


def test_a_dropped_worker_counts_as_gone_at_once(hub: Hub) -> None:
    fields = {key: value for key, value in worker_hello(ident("wrk", "a")).items() if key != "type"}
    hello, ear = WorkerHello(**(fields | {"recordings": ()})), Ear()
    hub.attach_worker(hello, ear)
    hub.drop_worker(hello.worker)
    hub.drop_worker(hello.worker)
    assert ear.ended is End.CLOCK_SET
    assert hub.workers() == []
    assert not hub.detach_worker(hello.worker, ear)


def test_drop(hub: Hub, ears: dict[str, Ear]) -> None:
    hub.drop(AGENT)
    hub.drop(ident("pty", "z"))
    assert ears[AGENT].ended is End.OVER
    assert ears[CUSTOMER].ended is None


def test_devices_are_shown_and_remembered_while_the_session_has_anyone(
    hub: Hub, ears: dict[str, Ear]
) -> None:
    assert hub.media(AGENT) == (True, True)
    hub.set_media(AGENT, microphone=False, camera=True)
    assert hub.media(AGENT) == (False, True)
    # nobody has been told yet who is there, so nothing can be shown
    assert not ears[CUSTOMER].heard

    hub.tell_session(SESSION, Parties(parties=(info(AGENT), info(CUSTOMER))))
    assert [one.microphone for one in told(ears[CUSTOMER])] == [False, True]
    hub.set_media(AGENT, microphone=True, camera=False)
    assert [(one.microphone, one.camera) for one in told(ears[CUSTOMER])] == [
        (True, False),
        (True, True),
    ]

    hub.detach(AGENT, ears[AGENT])
    hub.attach(AGENT, SESSION, ears[AGENT])
    assert hub.media(AGENT) == (True, False)
    for one in (AGENT, CUSTOMER):
        hub.detach(one, ears[one])
    hub.attach(AGENT, SESSION, ears[AGENT])
    assert hub.media(AGENT) == (True, True)
    hub.set_media(CUSTOMER, microphone=False, camera=False)
    assert hub.media(CUSTOMER) == (True, True)


def told(ear: Ear) -> tuple[PartyInfo, ...]:
    last = ear.heard[-1]
    assert isinstance(last, Parties)
    return last.parties


def test_workers(hub: Hub) -> None:
    fields = {key: value for key, value in worker_hello(ident("wrk", "a")).items() if key != "type"}
    hello = WorkerHello(**(fields | {"recordings": ()}))
    old, new = Ear(), Ear()
    assert not hub.tell_worker(hello.worker, Pong())
    assert hub.attach_worker(hello, old) is None
    assert hub.tell_worker(hello.worker, Pong())
    assert hub.workers() == [hello]
    assert hub.attach_worker(hello, new) is old
    assert not hub.detach_worker(hello.worker, old)
    assert hub.worker_connected(hello.worker)
    assert hub.detach_worker(hello.worker, new)
    assert not hub.worker_connected(hello.worker)
    assert len(old.heard) == 1
