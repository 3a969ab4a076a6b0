"""Which page may come back without a ticket, and which one has the seat."""

import re

import pytest

from avsession.messages.common import RESUME
from signaling.resume import AHEAD_MS, KEEP_S, Resumes
from tests.signaling.world import AGENT, CUSTOMER, PARTIES

CUSTOMERS, AGENTS = PARTIES[CUSTOMER], PARTIES[AGENT]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def resumes(clock: Clock) -> Resumes:
    return Resumes(clock)


def test_a_token_is_its_party_s_alone(resumes: Resumes) -> None:
    mine, other = resumes.seat(CUSTOMERS, None), resumes.seat(AGENTS, None)
    assert mine != other
    assert re.search(RESUME, mine)
    assert resumes.redeem(mine) is CUSTOMERS
    assert resumes.redeem(other) is AGENTS
    assert resumes.redeem(mine[:-1]) is None


def test_it_is_good_as_long_as_the_seat_is_held(resumes: Resumes, clock: Clock) -> None:
    token = resumes.seat(CUSTOMERS, None)
    clock.now += 10 * KEEP_S
    assert resumes.redeem(token) is CUSTOMERS
    resumes.gone(CUSTOMER)
    clock.now += KEEP_S
    assert resumes.redeem(token) is CUSTOMERS
    # back again: connected, for as long as it likes
    assert resumes.seat(CUSTOMERS, token) == token
    clock.now += 10 * KEEP_S
    assert resumes.redeem(token) is CUSTOMERS
    resumes.gone(CUSTOMER)
    clock.now += KEEP_S + 0.1
    assert resumes.redeem(token) is None
    resumes.gone(CUSTOMER)  # of whom nothing is known any more


def test_another_page_voids_it_and_has_the_seat(resumes: Resumes) -> None:
    laptop = resumes.seat(CUSTOMERS, None)
    phone = resumes.seat(CUSTOMERS, None)
    assert phone > laptop
    assert resumes.redeem(laptop) is None
    assert resumes.outdated(CUSTOMER, laptop)
    assert not resumes.outdated(CUSTOMER, phone)
    assert not resumes.outdated(AGENT, laptop)
    # the phone is gone: the laptop may take the seat, by a ticket
    resumes.gone(CUSTOMER)
    assert not resumes.outdated(CUSTOMER, laptop)
    assert resumes.seat(CUSTOMERS, laptop) == laptop
    assert resumes.redeem(phone) is None
    # and the phone has it back, because it came later
    assert not resumes.outdated(CUSTOMER, phone)


def test_a_seat_from_the_future_is_nobody_s(resumes: Resumes) -> None:
    now_ms = int(resumes.seat(AGENTS, None).partition("-")[0])
    claimed = f"{now_ms + 2 * AHEAD_MS}-{'f' * 32}"
    given = resumes.seat(CUSTOMERS, claimed)
    assert given < claimed
    assert resumes.outdated(CUSTOMER, claimed)
