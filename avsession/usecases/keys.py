"""The keys that parties' browsers sign with, and what their signatures are worth.

Opening needs a signature that holds (:func:`required`). Closing never does: a withdrawal or a
refusal is written down with what its signature was worth (:func:`judged`), which may be nothing.
"""

from __future__ import annotations

import logging
import re
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature

from avsession import signed
from avsession.canonical import b64, canonical, unb64
from avsession.errors import AvsessionError, SignatureInvalid, TooMany
from avsession.messages import EnrolKey
from avsession.ports import Reader, Writer
from avsession.records import PartyKey
from avsession.session import Party, Session
from avsession.signed import Enrolment, Signed, Statement
from avsession.usecases.common import leaf, load
from avsession.usecases.services import Services

log = logging.getLogger("avsession.keys")

MAX_KEYS = 50
"""Of one party: every load of its page makes one."""
CHALLENGE_CONTEXT = b"avsession.challenge.v1\n"
CHALLENGE_MS = 600_000
SHOWN = 256
"""Characters of each text of a bad signature that are kept as they came."""


def challenge(app: Services, party: str) -> str:
    """What a page proves its new key over: ours, this party's, and good for ten minutes.

    Nothing is kept of it: its time and our signature over it are in it.
    """
    now = str(app.clock.now_ms())
    return f"{now}.{b64(app.grant_key.sign(_challenge_bytes(party, now)))}"


def _challenge_bytes(party: str, at_ms: str) -> bytes:
    return CHALLENGE_CONTEXT + canonical({"party": party, "time": at_ms})


def _check_challenge(app: Services, party: str, text: str) -> None:
    at_ms, _, mark = text.partition(".")
    try:
        app.grant_key.public_key().verify(unb64(mark), _challenge_bytes(party, at_ms))
    except (ValueError, InvalidSignature) as error:
        raise SignatureInvalid from error
    if not 0 <= app.clock.now_ms() - int(at_ms) <= CHALLENGE_MS:
        raise SignatureInvalid


async def enrol(app: Services, party_id: str, message: EnrolKey) -> dict[str, str]:
    """Take a page's key as this party's. The same key again changes nothing.

    Raises SignatureInvalid when the proof or its challenge does not hold, or the key is another
    party's; TooMany.
    """
    async with app.store.write() as tx:
        session, party = await load(tx, party_id)
        enrolment = Enrolment(
            public_key=message.public_key, challenge=message.challenge, proof=message.proof
        )
        key = await _add(app, tx, session, party, enrolment)
    return {"key": key.id}


async def enrol_if_possible(app: Services, party_id: str, enrolment: Enrolment) -> None:
    """As :func:`enrol`, for a withdrawal, which goes on without a key when that fails."""
    try:
        async with app.store.write() as tx:
            session, party = await load(tx, party_id)
            await _add(app, tx, session, party, enrolment)
    except AvsessionError as error:
        log.info("a key for a withdrawal was not enrolled: %s", error.code)


async def _add(
    app: Services, tx: Writer, session: Session, party: Party, enrolment: Enrolment
) -> PartyKey:
    _check_challenge(app, party.id, enrolment.challenge)
    name = signed.key_id(enrolment.public_key)
    data = signed.enrolment_bytes(session.id, party.id, enrolment.challenge, name)
    signed.verify(enrolment.public_key, enrolment.proof, data)
    known = await tx.get(PartyKey, name)
    if known is not None:
        if known.party != party.id:
            raise SignatureInvalid
        return known
    if await tx.count(PartyKey, party=party.id) >= MAX_KEYS:
        raise TooMany
    index = await leaf(
        app,
        tx,
        "key.created",
        session=session,
        subject=party,
        refs={"key": name},
        details={"enrolment": msgspec.to_builtins(enrolment)},
    )
    key = PartyKey(
        id=name,
        party=party.id,
        public_key=enrolment.public_key,
        at_ms=app.clock.now_ms(),
        leaf=index,
    )
    await tx.add(key)
    return key


async def required(
    app: Services, tx: Reader, party: Party, said: Signed | None, **statement: Any
) -> dict[str, Any]:
    """What the record holds of a signature without which nothing opens.

    ``statement``: the rest of the Statement. Raises SignatureInvalid unless it holds.
    """
    block = await judged(app, tx, party, said, **statement)
    if block["status"] != "valid":
        raise SignatureInvalid
    return block


async def judged(
    app: Services, tx: Reader, party: Party, said: Signed | None, **statement: Any
) -> dict[str, Any]:
    """What the record holds of a signature, and whether it holds; raises nothing about it.

    ``status``: ``valid``, ``missing`` or ``invalid``; with ``valid`` come the key, the signature
    and the statement that was signed, otherwise what was sent and a ``reason``.
    """
    if said is None:
        return {"status": "missing"}
    named = re.fullmatch("[0-9a-f]{64}", said.key) is not None
    known = await tx.get(PartyKey, said.key) if named else None
    if known is None or known.party != party.id:
        return _bad(said, "unknown_key")
    stated = Statement(
        session=party.session, party=party.id, time=said.time, key=said.key, **statement
    )
    try:
        away_ms = abs(signed.time_ms(said.time) - app.clock.now_ms())
        signed.verify(known.public_key, said.signature, signed.statement_bytes(stated))
    except SignatureInvalid:
        return _bad(said, "not_over_this")
    if away_ms > signed.WINDOW_MS:
        return _bad(said, "time")
    return {
        "status": "valid",
        "algorithm": signed.ALGORITHM,
        "public_key": known.public_key,
        "signature": said.signature,
        "statement": msgspec.to_builtins(stated),
    }


def _bad(said: Signed, reason: str) -> dict[str, Any]:
    sent = {
        name: "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in value[:SHOWN])
        for name, value in msgspec.structs.asdict(said).items()
    }
    return {"status": "invalid", "reason": reason, "sent": sent}
