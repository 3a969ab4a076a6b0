import hashlib
import secrets

from avsession.usecases.tokens import new_secret, secret_hash


def test_a_secret_has_256_bits_and_needs_no_quoting() -> None:
    secret = new_secret(secrets.token_bytes)
    assert len(secret) == 43
    assert secret.replace("-", "a").replace("_", "a").isalnum()
    assert new_secret(secrets.token_bytes) != secret


def test_only_the_hash_is_for_keeping() -> None:
    assert secret_hash("abc") == hashlib.sha256(b"abc").digest()


def test_whatever_a_stranger_sends_has_a_hash() -> None:
    assert len(secret_hash("\ud800 \0 \N{PILE OF POO}")) == 32
