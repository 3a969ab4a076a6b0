"""Disclosures to an authority or a processor: a recorded act, and a package only they can open.

Order: the act is written down (``disclosure.made`` with every word of it, salted, and
``recording.exported`` for what media it takes out); then the package is built and sealed to the
recipient's age key; then a second ``disclosure.made`` is committed, with the digests of the package
and of what is in it; only then can it be downloaded. The package stays for
``export.keep_days``; the record of the act stays.

The person sees it among their data, unless the law forbids that for a time. Media whose consent
was taken back goes along only while a legal hold keeps it, and never to a processor.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Literal

from msgspec.structs import replace

from avsession.audit.verify_exports import decided_refs, disclosure_details, sealed_refs
from avsession.errors import (
    Conflict,
    Invalid,
    NotFound,
)
from avsession.export_records import Disclosure
from avsession.ports import Reader, Writer
from avsession.records import Leaf, Recording
from avsession.sealing.package import check_recipient
from avsession.session import Session, new_id
from avsession.usecases import holds, outgoing, stepup, taking
from avsession.usecases.common import leaf
from avsession.usecases.permissions import DISCLOSE, Principal, require
from avsession.usecases.services import Services

Category = Literal["authority", "processor"]
Basis = Literal["order", "duty", "claim", "contract"]
"""An order of a court or an authority, another duty by law, a legal claim, a contract with a
processor (GDPR Art. 28)."""
Part = Literal["records", "media"]
"""Consent records and the log's entries; picture and sound."""

WAITING, READY, FAILED = "waiting", "ready", "failed"
DAY_MS = 86_400_000
MAX_TEXT = 500
"""Characters of what is stated."""
MAX_SILENCE_MS = 3 * 366 * DAY_MS
"""How long at most the person is not told."""
MAX_WAITING = 20
"""Packages that may wait to be built."""
LIST = 200
"""Disclosures in one list."""
MANY = 1_000_000


def view(app: Services, row: Disclosure) -> dict[str, Any]:
    """A disclosure as admins see it."""
    done, total = app.building.progress(row.id)
    return {
        "disclosure": row.id,
        "session": row.session,
        "scope": row.scope,
        "target": row.target,
        "category": row.category,
        "given_to": row.given_to,
        "basis": row.basis,
        "basis_text": row.basis_text,
        "reason": row.reason,
        "parts": row.parts,
        "recipient": row.recipient,
        "made_ms": row.made_ms,
        "silent_until_ms": row.silent_until_ms,
        "state": "gone" if row.gone_ms is not None else row.state,
        "expires_ms": row.expires_ms,
        "size": row.size,
        "sha256": row.sha256,
        "manifest": row.manifest,
        "leaf": row.leaf,
        "done": done,
        "total": total,
    }


async def listed(app: Services, who: Principal) -> dict[str, Any]:
    """The newest disclosures, newest first; and the register of processors."""
    require(who, DISCLOSE)
    async with app.store.read() as tx:
        rows = await tx.find(Disclosure, order="-made_ms", limit=LIST)
    register = [
        {"name": one.name, "what_for": one.what_for, "where": one.where}
        for one in app.settings.processors
    ]
    return {"disclosures": [view(app, row) for row in rows], "processors": register}


async def make(  # noqa: PLR0913 - a disclosure has this many parts
    app: Services,
    who: Principal,
    *,
    scope: holds.Scope,
    target: str,
    category: Category,
    given_to: str,
    basis: Basis,
    basis_text: str,
    reason: str,
    parts: Sequence[Part],
    recipient: str,
    silent_until_ms: int | None = None,
) -> dict[str, Any]:
    """Decide a disclosure; its package is built in the background.

    ``recipient``: their age public key. ``silent_until_ms``: until when the law forbids to tell the
    person (ms since the Unix epoch, three years at most); only an order or a duty can. A processor
    must stand in the register, which the policy shows, and gets things on its contract alone.

    Raises Invalid, NotFound, Erased when the recording is destroyed, Conflict when there is nothing
    to disclose or too many wait.
    """
    require(who, DISCLOSE)
    now = app.clock.now_ms()
    if silent_until_ms is not None:
        if basis not in ("order", "duty"):
            raise Invalid("Only an order or a duty by law can keep a person from being told.")
        if not now < silent_until_ms <= now + MAX_SILENCE_MS:
            raise Invalid("The time of silence ends in the future, within three years.")
    if category == "processor":
        if given_to not in {one.name for one in app.settings.processors}:
            raise Invalid("That is nobody in the register of processors.")
        if basis != "contract":
            raise Invalid("A processor gets things on its contract (GDPR Art. 28).")
    row = Disclosure(
        id=new_id("dis", app.entropy),
        scope=scope,
        target=target,
        session="",
        category=category,
        given_to=holds.checked_text(given_to, 2, 200, "To whom"),
        basis=basis,
        basis_text=holds.checked_text(basis_text, 2, MAX_TEXT, "The basis"),
        reason=holds.checked_text(reason, holds.MIN_REASON, MAX_TEXT, "A reason"),
        parts=sorted(set(parts)),
        recipient=check_recipient(recipient.strip()),
        made_by=who.account,
        made_ms=now,
        silent_until_ms=silent_until_ms,
        state=WAITING,
        expires_ms=now + app.settings.export.keep_days * DAY_MS,
    )
    if not row.parts:
        raise Invalid("Say what is disclosed.")
    async with app.store.write() as tx:
        if await tx.count(Disclosure, state=WAITING) >= MAX_WAITING:
            raise Conflict("Several packages are being built; wait for them.")
        session, party = await holds.target_of(tx, scope, target)
        row = replace(row, session=session.id)
        await stepup.spend(app, tx, who, stepup.DISCLOSE, target)
        await tx.add(row)
        await leaf(
            app,
            tx,
            "disclosure.made",
            session=session,
            subject=party,
            actor=who.pseudonym,
            refs=decided_refs(row),
            details=disclosure_details(row),
        )
        if "media" in row.parts:
            await _take(app, tx, who, row)
    app.building.wanted.set()
    return view(app, row)


async def _take(app: Services, tx: Writer, who: Principal, row: Disclosure) -> None:
    """Write down what media is taken out. Raises Conflict when there is none."""
    some = False
    for recording in await tx.find(Recording, session=row.session, order="created_ms"):
        found = await outgoing.for_disclosure(app, tx, row, recording)
        if found:
            some = True
            await taking.take(
                app, tx, recording, found,
                why="disclosure", what=row.id, actor=who.pseudonym, account=who.account,
                reason=row.reason,
            )  # fmt: skip
    if not some:
        raise Conflict("There is no recording to disclose.")


# --- afterwards


class Sealed:
    """A package on disk, as it is downloaded. ``size`` in bytes."""

    def __init__(self, app: Services, row: Disclosure) -> None:
        self._app, self._name = app, row.id
        self.size = row.size

    async def read(self, start: int, end: int) -> bytes:
        """Bytes ``start`` to ``end`` (exclusive); raises NotFound once it is deleted, and what
        :func:`file` raises for media that may not be given out any more."""
        async with self._app.store.read() as tx:
            await outgoing.check_all(self._app, tx, self._name)
        return await self._app.parcels.read(self._name, start, end)


async def file(app: Services, who: Principal, disclosure: str) -> tuple[Disclosure, Sealed]:
    """The sealed package. Raises NotFound, also once it is deleted; Conflict while it is built;
    Erased once a track that was taken out for it is destroyed, ConsentRequired once the consent to
    one was taken back, or, for a processor, it was restricted.

    It is opened only if the log speaks of this very package.
    """
    require(who, DISCLOSE)
    async with app.store.read() as tx:
        row = await tx.get(Disclosure, disclosure)
        if row is None or row.expires_ms <= app.clock.now_ms():
            raise NotFound
        await outgoing.check_all(app, tx, row.id)
        if row.gone_ms is not None:
            raise NotFound
        if row.state != READY or row.leaf is None:
            raise Conflict("The package is not ready.")
        if not await is_logged(tx, row):
            raise NotFound
    return row, Sealed(app, row)


async def is_decided(tx: Reader, row: Disclosure) -> bool:
    """Whether the log says that it was decided: a row that somebody put in gives nothing."""
    session = await tx.get(Session, row.session)
    return session is not None and await _says(tx, session.pseudonym, decided_refs(row))


async def is_logged(tx: Reader, row: Disclosure) -> bool:
    """Whether the log speaks of this very package."""
    session = await tx.get(Session, row.session)
    return session is not None and await _says(tx, session.pseudonym, sealed_refs(row))


async def _says(tx: Reader, session: str, refs: dict[str, Any]) -> bool:
    leaves = await tx.find(
        Leaf, kind="disclosure.made", session=session, order="-index", limit=MANY
    )
    return any(json.loads(one.data)["refs"] == refs for one in leaves)


async def expire(app: Services) -> None:
    """Delete packages whose time is over; what was done stays written down."""
    now = app.clock.now_ms()
    async with app.store.read() as tx:
        rows = await tx.find(Disclosure, gone_ms=None, order="made_ms", limit=LIST)
    for row in rows:
        if row.expires_ms > now or row.state == WAITING:
            continue
        await app.parcels.remove(row.id)
        async with app.store.write() as tx:
            fresh = await tx.get(Disclosure, row.id)
            if fresh is not None:
                await tx.put(replace(fresh, gone_ms=now))
