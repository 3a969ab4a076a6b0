"""Sealing: only the track's key opens it, and the same bytes never look the same twice."""

import secrets
import subprocess
from pathlib import Path

import pyrage
import pytest

from avsession.errors import Invalid
from avsession.sealing.seal import CHUNK, Sealer


@pytest.fixture
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_what_was_sealed_opens_with_its_key_alone(
    identity: pyrage.x25519.Identity, size: int
) -> None:
    plain = secrets.token_bytes(size)
    sealed = Sealer(str(identity.to_public())).seal(plain)
    assert sealed.startswith(b"age-encryption.org/v1\n")
    assert pyrage.decrypt(sealed, [identity]) == plain
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


def test_the_plain_bytes_and_their_equality_do_not_show(identity: pyrage.x25519.Identity) -> None:
    sealer = Sealer(str(identity.to_public()))
    plain = b"a frame that nobody may see"
    one, two = sealer.seal(plain), sealer.seal(plain)
    assert plain not in one
    assert one[-len(plain) :] != two[-len(plain) :]


@pytest.mark.parametrize("cut", [1, 16, 17, 100])
def test_a_cut_file_does_not_open(identity: pyrage.x25519.Identity, cut: int) -> None:
    sealed = Sealer(str(identity.to_public())).seal(bytes(200))
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed[:-cut], [identity])


def test_only_a_public_key_of_age_will_do(identity: pyrage.x25519.Identity) -> None:
    for wrong in ("", "age1", "ssh-ed25519 AAAA", str(identity), str(identity.to_public())[:-1]):
        with pytest.raises(Invalid):
            Sealer(wrong)


def test_a_point_of_small_order_is_no_key() -> None:
    """Its text is a sound recipient, and everybody knows the secret that it agrees on."""
    zero = f"age1{'q' * 52}5cu47z"
    pyrage.x25519.Recipient.from_str(zero)
    with pytest.raises(Invalid):
        Sealer(zero)


def test_the_age_program_opens_it(identity: pyrage.x25519.Identity, tmp_path: Path) -> None:
    plain = secrets.token_bytes(3 * CHUNK + 7)
    (tmp_path / "key").write_text(str(identity))
    (tmp_path / "sealed").write_bytes(Sealer(str(identity.to_public())).seal(plain))
    command = ["age", "--decrypt", "-i", str(tmp_path / "key"), str(tmp_path / "sealed")]
    opened = subprocess.run(command, check=True, capture_output=True, timeout=30)
    assert opened.stdout == plain
