"""Signing goes wrong in one way only, whatever the signer does."""

from __future__ import annotations

import asyncio

import pytest

from avsession.audit.merkle import EMPTY_ROOT
from avsession.errors import SignerFailed
from avsession.usecases import notary as module
from avsession.usecases.notary import Notary
from tests.avsession.audit.notes import ORIGIN, Signer, key


async def test_it_signs_under_the_logs_name() -> None:
    made = Notary(ORIGIN, Signer())
    head = await made.sign(0, EMPTY_ROOT)
    assert (head.origin, made.origin, made.key) == (ORIGIN, ORIGIN, key())


def test_nothing_is_covered_before_something_was_signed() -> None:
    assert Notary(ORIGIN, Signer()).covering(0) is None


@pytest.mark.parametrize("error", [RuntimeError("no KMS"), OSError(), SignerFailed()])
async def test_a_signer_that_fails(error: Exception) -> None:
    signer = Signer()
    signer.error = error
    with pytest.raises(SignerFailed):
        await Notary(ORIGIN, signer).sign(0, EMPTY_ROOT)


async def test_a_signer_with_another_key() -> None:
    signer = Signer()
    signer.wrong = True
    with pytest.raises(SignerFailed, match="does not have the log's key"):
        await Notary(ORIGIN, signer).sign(0, EMPTY_ROOT)


async def test_a_signer_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(Signer):
        async def sign(self, data: bytes) -> bytes:
            await asyncio.Event().wait()
            return data

    monkeypatch.setattr(module, "SIGN_S", 0.01)
    with pytest.raises(SignerFailed):
        await Notary(ORIGIN, Slow()).sign(0, EMPTY_ROOT)
