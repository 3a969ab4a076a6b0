import asyncio
import threading
import time
from typing import Literal

import argon2
import pytest
from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from avsession import passwords
from avsession.errors import TooMany
from avsession.passwords import Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_right_and_wrong() -> None:
    hashes = Passwords(CHEAP)
    stored = await hashes.hash("correct horse battery")
    assert stored.startswith("$argon2id$")
    assert await hashes.verify(stored, "correct horse battery") == (True, None)
    assert await hashes.verify(stored, "correct horse batter") == (False, None)


async def test_each_hash_has_its_own_salt() -> None:
    hashes = Passwords(CHEAP)
    assert await hashes.hash("the same password") != await hashes.hash("the same password")


async def test_the_same_characters_typed_differently() -> None:
    hashes = Passwords(CHEAP)
    stored = await hashes.hash("Stra\N{LATIN SMALL LETTER SHARP S}e-caf\u00e9-ﬁ")
    right, _ = await hashes.verify(stored, "Stra\N{LATIN SMALL LETTER SHARP S}e-cafe\u0301-fi")
    assert right


def test_the_defaults_are_above_owasp_s_minimum() -> None:
    parameters = argon2.extract_parameters(PasswordHasher().hash("x"))
    assert parameters.type is argon2.Type.ID
    assert parameters.memory_cost >= 19 * 1024
    assert parameters.time_cost >= 2
    assert parameters.salt_len >= 16


async def test_a_hash_with_other_parameters_is_made_anew_once() -> None:
    old = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1).hash("correct horse battery")
    hashes = Passwords(CHEAP)
    right, renewed = await hashes.verify(old, "correct horse battery")
    assert right
    assert renewed is not None
    assert await hashes.verify(renewed, "correct horse battery") == (True, None)
    assert await hashes.verify(old, "wrong") == (False, None), "only the right password renews"


@pytest.mark.parametrize(
    "stored", ["", "not a hash", "$argon2id$v=19$m=8,t=1,p=1$AAAA", "$2b$12$x"]
)
async def test_what_is_no_hash_matches_nothing(stored: str) -> None:
    assert await Passwords(CHEAP).verify(stored, "") == (False, None)


async def test_an_unknown_name_costs_as_much_as_a_known_one() -> None:
    slow = PasswordHasher(time_cost=3, memory_cost=16 * 1024, parallelism=1)
    hashes = Passwords(slow)
    stored = await hashes.hash("correct horse battery")

    async def seconds(known: str | None) -> float:
        took = []
        for _ in range(5):
            start = time.perf_counter()
            assert await hashes.verify(known, "wrong wrong wrong") == (False, None)
            took.append(time.perf_counter() - start)
        return min(took)

    known, unknown = await seconds(stored), await seconds(None)
    assert known / 2 < unknown < known * 2


class Counting(PasswordHasher):
    """Counts how many hash at the same time, and on which thread."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.lock = threading.Lock()
        self.now = self.most = 0
        self.threads: set[int] = set()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.threads.add(threading.get_ident())
        time.sleep(0.02)
        with self.lock:
            self.now -= 1
        raise VerifyMismatchError


async def test_two_at_a_time_and_not_on_the_loop() -> None:
    hasher = Counting()
    hashes = Passwords(hasher)
    await asyncio.gather(*(hashes.verify(None, "x") for _ in range(8)))
    assert hasher.most == passwords.AT_A_TIME
    assert threading.get_ident() not in hasher.threads


async def test_too_many_waiting_are_sent_away() -> None:
    hashes = Passwords(Counting())
    results = await asyncio.gather(
        *(hashes.verify(None, "x") for _ in range(passwords.WAITING + 3)), return_exceptions=True
    )
    assert [type(result) for result in results].count(TooMany) == 3
    assert await hashes.verify(None, "x") == (False, None), "there is room again"


async def test_close_lets_the_threads_go() -> None:
    hashes = Passwords(CHEAP)
    await hashes.hash("x")
    hashes.close()
    with pytest.raises(RuntimeError):
        await hashes.hash("x")
