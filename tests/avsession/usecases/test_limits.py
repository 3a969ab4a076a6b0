import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.usecases.limits import Buckets, Limits, Refusals, address_key


def test_a_burst_and_then_one_at_a_time() -> None:
    buckets = Buckets(3, 1000)
    assert [buckets.take("a", 10_000) for _ in range(4)] == [True, True, True, False]
    assert not buckets.take("a", 10_999)
    assert buckets.take("a", 11_000)
    assert not buckets.take("a", 11_500)


def test_asking_in_vain_does_not_delay_the_next_token() -> None:
    buckets = Buckets(1, 1000)
    assert buckets.take("a", 0)
    assert [buckets.take("a", at) for at in range(100, 1000, 100)] == [False] * 9
    assert buckets.take("a", 1001)


def test_a_token_can_be_given_back_and_no_more_than_a_burst() -> None:
    buckets = Buckets(2, 1000)
    buckets.take("a", 0)
    for _ in range(5):
        buckets.give_back("a")
    assert [buckets.take("a", 0) for _ in range(3)] == [True, True, False]


def test_a_clock_set_back_gives_nothing() -> None:
    buckets = Buckets(1, 1000)
    assert buckets.take("a", 50_000)
    assert not buckets.take("a", 10_000)
    assert not buckets.take("a", 10_500)
    assert buckets.take("a", 11_001)


def test_keys_do_not_share_a_bucket_as_a_rule() -> None:
    buckets = Buckets(1, 1000)
    assert sum(buckets.take(str(n), 0) for n in range(100)) > 90


def test_a_flood_of_keys_takes_no_memory_and_frees_nobody() -> None:
    buckets = Buckets(1, 60_000, size=64)
    assert buckets.take("victim", 0)
    before = sys.getsizeof(buckets._tokens)
    for n in range(5000):
        buckets.take(f"made up {n}", 1)
    assert sys.getsizeof(buckets._tokens) == before
    assert not buckets.take("victim", 2)


@given(st.lists(st.integers(0, 5000), max_size=60))
def test_never_more_than_the_burst_and_the_rate(waits: list[int]) -> None:
    buckets = Buckets(5, 1000)
    now, taken = 0, 0
    for wait in waits:
        now += wait
        taken += buckets.take("a", now)
    assert taken <= 5 + now / 1000


def test_refusals_are_counted_and_rarely_written() -> None:
    refusals = Refusals(every_ms=60_000)
    assert refusals.note("a", 100_000) == 1
    assert [refusals.note("a", 100_000 + n) for n in range(1, 50)] == [0] * 49
    assert refusals.note("a", 161_000) == 50


def test_refusals_from_everywhere_are_bounded() -> None:
    refusals = Refusals(every_ms=60_000)
    written = [refusals.note(f"address {n}", 100_000) for n in range(10_000)]
    assert sum(times > 0 for times in written) <= 64


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("", "unknown"),
        ("/run/socket", "unknown"),
    ],
)
def test_whom_an_address_counts_as(address: str, key: str) -> None:
    assert address_key(address) == key


def test_each_services_has_its_own_tables() -> None:
    one, other = Limits(), Limits()
    assert one.logins is not other.logins
