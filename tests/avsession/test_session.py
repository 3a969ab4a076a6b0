"""Identifiers: what they look like, and what only looks like one."""

from __future__ import annotations

import pytest

from avsession.session import is_id, new_id


def test_an_identifier_says_of_what_and_holds_128_random_bits() -> None:
    asked: list[int] = []

    def entropy(n: int) -> bytes:
        asked.append(n)
        return bytes(range(n))

    assert new_id("ses", entropy) == "ses_aaaqeayeaudaocajbifqydiob4"
    assert asked == [16]


@pytest.mark.parametrize("fill", [0x00, 0x55, 0xFF])
def test_what_is_made_is_known_as_an_identifier(fill: int) -> None:
    assert is_id(new_id("rec", lambda n: bytes([fill]) * n))


GOOD = "ses_" + "a" * 26


@pytest.mark.parametrize(
    "text",
    [
        "",
        GOOD[:-1],
        GOOD + "a",
        GOOD + "\n",
        "\n" + GOOD,
        " " + GOOD,
        GOOD.upper(),
        "se_" + "a" * 26,
        "ses-" + "a" * 26,
        "ses_" + "1" * 26,
        "ses_" + "a" * 24 + "..",
        "ses_../../../../etc/passwd" + "a" * 4,
        "ses_" + "а" * 26,  # Cyrillic
    ],
    ids=repr,
)
def test_nothing_else_is(text: str) -> None:
    assert not is_id(text)
