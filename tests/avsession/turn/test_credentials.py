"""Short-lived credentials: the vectors of the scheme, the windows, and what does not show."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from avsession.errors import SettingsInvalid
from avsession.turn.credentials import Secret, make, pseudonym, read_secret, server, window

SECRET = Secret("0123456789abcdef0123456789abcdef")


def test_they_are_what_coturn_computes() -> None:
    user, password = make(SECRET, 1_750_000_000, "abc")
    assert user == "1750000000:abc"
    expected = hmac.new(SECRET.value.encode(), user.encode(), hashlib.sha1).digest()
    assert base64.b64decode(password) == expected
    told = server(["turn:a"], SECRET, 1_750_000_000, "abc")
    assert (told.username, told.credential) == (user, password)


def test_a_pseudonym_is_one_partys_in_one_session() -> None:
    names = {pseudonym(SECRET, session, who) for session in "ab" for who in ("x", "y", "recorder")}
    assert len(names) == 6
    assert pseudonym(SECRET, "a", "x") == pseudonym(SECRET, "a", "x")
    assert pseudonym(SECRET, "a", "bx") != pseudonym(SECRET, "ab", "x")
    assert pseudonym(Secret("f" * 32), "a", "x") not in names
    assert all(":" not in name and len(name) == 20 for name in names)


@given(
    st.text(max_size=30),
    st.integers(min_value=20, max_value=86_400),
    st.integers(min_value=0, max_value=2**43),
)
def test_credentials_last_half_the_time_at_least_and_all_of_it_at_most(
    session: str, ttl_s: int, now_ms: int
) -> None:
    found = window(session, ttl_s, now_ms)
    assert now_ms < found.renew_ms <= now_ms + ttl_s * 500
    left_ms = found.expires_s * 1000 - now_ms
    assert ttl_s * 500 - 1000 < left_ms <= ttl_s * 1000
    # before the moment of renewal everybody computes the same, from it on the next
    assert window(session, ttl_s, found.renew_ms - 1) == found
    after = window(session, ttl_s, found.renew_ms)
    assert after.renew_ms == found.renew_ms + ttl_s * 500
    assert after.expires_s > found.expires_s


def test_sessions_turn_at_different_moments() -> None:
    assert len({window(f"ses_{n}", 3600, 1_750_000_000_000).renew_ms for n in range(50)}) > 45


def test_the_secret_is_read_and_does_not_show(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET.value}\n")
    assert read_secret(file) == SECRET
    assert SECRET.value not in repr(SECRET)
    assert SECRET.value not in f"{SECRET}"


@pytest.mark.parametrize("text", [b"", b"short", b"a" * 257, b"a" * 20 + b" " + b"b" * 20, b"\xff"])
def test_a_secret_that_will_not_do_is_refused_and_not_repeated(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "secret"
    file.write_bytes(text)
    with pytest.raises(SettingsInvalid) as refused:
        read_secret(file)
    assert "turn.secret_file" in str(refused.value)
    assert not text or text.decode("latin1") not in str(refused.value)


def test_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="nowhere"):
        read_secret(tmp_path / "nowhere")
