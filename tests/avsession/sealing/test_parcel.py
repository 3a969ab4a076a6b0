"""Keys of exports: from the link's secret only, each parcel its own."""

import secrets

import pytest

from avsession.canonical import b64
from avsession.errors import Invalid, NotFound
from avsession.sealing import parcel

KEY = parcel.download_key("a private link's secret")
EXPORT = "exp_" + "a" * 26
PUBLIC = parcel.public_key(KEY, EXPORT)


def test_only_its_own_key_and_name_open_it() -> None:
    sealed = parcel.seal(PUBLIC, EXPORT, b"documents")
    assert b"documents" not in sealed
    assert parcel.open_parcel(KEY, EXPORT, sealed) == b"documents"
    other = parcel.download_key("another secret")
    kept = (b64(PUBLIC), b64(b""), "", "?")  # what is kept to seal with opens nothing
    for key, name in (
        (other, EXPORT), (KEY, "exp_" + "b" * 26), *((one, EXPORT) for one in kept)
    ):  # fmt: skip
        with pytest.raises(NotFound):
            parcel.open_parcel(key, name, sealed)


def test_what_was_changed_does_not_open() -> None:
    sealed = parcel.seal(PUBLIC, EXPORT, b"documents")
    for place in (0, len(sealed) // 2, len(sealed) - 1):
        changed = bytearray(sealed)
        changed[place] ^= 1
        with pytest.raises(NotFound):
            parcel.open_parcel(KEY, EXPORT, bytes(changed))
    for cut in (b"", sealed[:8], sealed[:-1]):
        with pytest.raises(NotFound):
            parcel.open_parcel(KEY, EXPORT, cut)


def test_the_key_is_the_same_for_the_same_secret_and_does_not_show_it() -> None:
    secret = secrets.token_urlsafe(32)
    key = parcel.download_key(secret)
    assert key == parcel.download_key(secret) != parcel.download_key(secret + "x")
    assert len(key) == 43
    assert secret not in key


def test_two_parcels_of_the_same_are_not_the_same() -> None:
    assert parcel.seal(PUBLIC, EXPORT, b"x") != parcel.seal(PUBLIC, EXPORT, b"x")


def test_no_more_than_memory_may_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "MAX_PARCEL", 10)
    with pytest.raises(Invalid):
        parcel.seal(PUBLIC, EXPORT, b"x" * 11)


def test_each_export_has_a_key_of_its_own_and_none_is_no_key() -> None:
    assert PUBLIC == parcel.public_key(KEY, EXPORT) != parcel.public_key(KEY, "exp_" + "b" * 26)
    for none in (b"", PUBLIC[:-1]):
        with pytest.raises(Invalid):
            parcel.seal(none, EXPORT, b"x")
