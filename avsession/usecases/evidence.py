"""Evidence from the log: signed heads, proofs, and the check at the start that it is still ours.

A head is signed only if it extends the newest one that was signed: nobody is ever shown two
histories by this program. None of these functions may be called inside a write.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from avsession.audit import checkpoint as notes
from avsession.audit import log, merkle
from avsession.audit import verify as whole
from avsession.audit.checkpoint import Checkpoint, VerifierKey
from avsession.audit.findings import Findings
from avsession.audit.proof import Proof
from avsession.audit.verify import Kept, Progress, Report
from avsession.config import Settings
from avsession.errors import (
    AnchorInvalid,
    AnchorMissing,
    AvsessionError,
    CheckpointInvalid,
    Invalid,
    LogBroken,
    LogForked,
    LogShrunk,
    NotFound,
    SettingsInvalid,
)
from avsession.ports import Anchor, Reader, Store
from avsession.records import Leaf, SignedHead
from avsession.usecases.notary import Notary
from avsession.usecases.services import Services

logger = logging.getLogger("avsession.evidence")

EVERY_MS = 60_000
"""How often a new head is signed while leaves come that nobody waits for."""


class Consistency(msgspec.Struct, frozen=True):
    """That the log of ``checkpoint`` begins with its own first ``old_size`` leaves."""

    old_size: int
    hashes: tuple[bytes, ...]
    """RFC 6962 section 2.1.2; empty for 0 and for the checkpoint's own size."""
    checkpoint: Checkpoint


# --- heads and proofs


async def checkpoint(app: Services, covering: int | None = None) -> Checkpoint:
    """A signed head that covers leaf ``covering``; None: every leaf there is now.

    It is stored in the database, and then in every anchor, before this returns. Signs only if
    there is none yet; many callers at once share one signature. Raises NotFound when there is
    no such leaf, SignerFailed, LogBroken (or what is under it) when the log is not what was
    signed before, Unavailable.
    """
    notary = app.notary
    if covering is None:
        async with app.store.read() as tx:
            size = await log.size(tx)
            if notary.newest is not None:
                await _check(tx, notary.newest, size, "the newest checkpoint")
    else:
        size = covering + 1
    if (known := notary.covering(size)) is not None:
        return known
    async with notary.lock:
        if (known := notary.covering(size)) is not None:
            return known
        return await _sign(app, size)


async def _sign(app: Services, wanted: int) -> Checkpoint:
    """Sign the log as it is, if the newest head has not ``wanted`` leaves. Under the lock."""
    notary = app.notary
    async with app.store.read() as tx:
        size = await log.size(tx)
        newest = await _newest(tx, notary)
        if notary.newest is not None and (newest is None or newest.size < notary.newest.size):
            newest = notary.newest
        if newest is not None:
            await _check(tx, newest, size, "the newest checkpoint")
        if size < wanted:
            raise NotFound("There is no such leaf.")
        root = await log.root(tx, size)
    if newest is not None and newest.size >= wanted:
        head = newest  # of another process, or not anchored when it was signed
    else:
        now = notary.tried_ms = app.clock.now_ms()
        head = await notary.sign(size, root)
        async with app.store.write() as tx:
            stored = await _newest(tx, notary)
            if stored is not None and stored.size >= size:
                # another process was faster; leaves name heads as they grow
                await _check(tx, stored, await log.size(tx), "the newest checkpoint")
                head = stored
            else:
                await tx.add(SignedHead(size=size, note=head.note, at_ms=now))
    for anchor in notary.anchors:
        await anchor.put(head.note)
    notary.newest = head
    return head


async def _newest(tx: Reader, notary: Notary) -> Checkpoint | None:
    """The newest head in the database, its signature checked; raises LogForked."""
    rows = await tx.find(SignedHead, order="-size", limit=1)
    if not rows:
        return None
    try:
        return notes.verify(rows[0].note, notary.key)
    except CheckpointInvalid as error:
        raise LogForked(f"The newest checkpoint in the database is not ours: {error}") from error


async def _check(tx: Reader, head: Checkpoint, size: int, what: str) -> None:
    """That the log of ``size`` leaves extends ``head``; raises LogShrunk or LogForked."""
    if head.size > size:
        raise LogShrunk(
            f"The audit log has {size} leaves, but {what} was signed over {head.size}: the "
            "database is an older copy, or leaves were removed."
        )
    if await log.root(tx, head.size) != head.root:
        raise LogForked(
            f"The first {head.size} leaves of the audit log are not those that {what} was signed "
            "over: somebody changed the database."
        )


async def covered(app: Services, tx: Reader, leaf_index: int) -> bool:
    """Whether a head that covers the leaf stands in the database.

    It counts only with the log's own signature, over the log as it is.
    """
    try:
        head = await _newest(tx, app.notary)
        if head is None or head.size <= leaf_index:
            return False
        await _check(tx, head, await log.size(tx), "the newest checkpoint")
    except (LogForked, LogShrunk) as error:
        logger.error("the newest checkpoint covers nothing: %s", error.code)
        return False
    return True


async def newest(app: Services) -> Checkpoint:
    """The newest head that was signed; nothing is signed for it. Raises NotFound."""
    async with app.store.read() as tx:
        found = await _newest(tx, app.notary)
    if found is None:
        raise NotFound("No checkpoint was signed yet.")
    return found


async def proof(app: Services, leaf_index: int, size: int | None = None) -> Proof:
    """A leaf with its proof, in a head that covers it (signed now, if there is none yet).

    With ``size``: in the head of that size, which must have been signed. Raises NotFound when
    there is no such leaf or head, and what :func:`checkpoint` raises.
    """
    head = await (checkpoint(app, leaf_index) if size is None else _signed_before(app, size))
    if not 0 <= leaf_index < head.size:
        raise NotFound("There is no such leaf in that checkpoint.")
    async with app.store.read() as tx:
        leaf = await tx.get(Leaf, leaf_index)
        hashes = await log.hashes(tx, merkle.inclusion(leaf_index, head.size))
    if leaf is None:
        raise LogBroken
    return Proof(leaf.data, leaf_index, hashes, head.note)


async def _signed_before(app: Services, size: int) -> Checkpoint:
    async with app.store.read() as tx:
        row = await tx.get(SignedHead, size)
    if row is None:
        raise NotFound("No checkpoint of that size was signed.")
    return notes.parse(row.note)


async def consistency(app: Services, old_size: int) -> Consistency:
    """The proof that the newest signed head extends the log of ``old_size`` leaves.

    Raises Invalid when that is more than the newest head has, NotFound when there is none.
    """
    head = await newest(app)
    if not 0 <= old_size <= head.size:
        raise Invalid(f"The newest checkpoint has {head.size} leaves.")
    async with app.store.read() as tx:
        hashes = await log.hashes(tx, merkle.consistency(old_size, head.size))
    return Consistency(old_size, hashes, head)


async def verify(
    store: Store,
    key: VerifierKey,
    anchors: tuple[Anchor, ...] = (),
    *,
    since: Kept | None = None,
    progress: Progress = lambda done, total: None,
) -> Report:
    """Verify the whole log, as it stands in the database now; see ``audit.verify``."""
    noted = await kept(anchors)
    findings = Findings()
    async with store.read(findings.cannot_read) as tx:
        return await whole.verify(tx, key, findings, anchors=noted, since=since, progress=progress)


async def kept(anchors: Iterable[Anchor]) -> list[Kept]:
    """What the anchors hold, to hold the log against; one that cannot be read holds no checkpoint.

    To be asked before the log is read: a head reaches the database before it reaches them.
    """
    found = []
    for anchor in anchors:
        try:
            found.append(Kept(anchor.name, await anchor.get()))
        except AnchorInvalid:
            found.append(Kept(anchor.name, "it cannot be read"))
    return found


async def keep_signing(app: Services) -> None:
    """Sign a new head if there are leaves without one for a while, or one is wanted soon.

    For the timers. Soon is after a grant, and after a recording's end: till then it rests on
    leaves that whoever has the database could still change.
    """
    notary = app.notary
    if notary.hurried or app.clock.now_ms() - notary.tried_ms >= EVERY_MS:
        notary.hurried = False  # with a signer that fails, the next try is as late as any
        await checkpoint(app)


# --- at the start


async def origin(settings: Settings, store: Store, anchors: tuple[Anchor, ...] = ()) -> str:
    """The log's name: the one it has, or the setting's, or one made of the public host.

    A log keeps the name under which its first head was signed. Raises SettingsInvalid when the
    setting says another one, AnchorInvalid.
    """
    noted = [await anchor.get() for anchor in anchors]
    async with store.read(_skipped) as tx:
        rows = await tx.find(SignedHead, order="-size", limit=1)
    noted += [row.note for row in rows]
    for note in noted:
        if note is None:
            continue
        try:
            name = notes.parse(note).origin
        except CheckpointInvalid as error:
            raise AnchorInvalid(f"A kept checkpoint is not one: {error}") from error
        if settings.log_origin not in (None, name):
            raise SettingsInvalid(f"log_origin: this log was begun as {name}.")
        return name
    return settings.log_origin or f"{settings.public_host}/avsession"


async def opened(app: Services) -> bool:
    """Check the log against its anchors, before anything is written; begin it if it is empty.

    Returns whether it was begun (a first leaf, ``log.started``). Raises LogShrunk or LogForked
    when the tree is not the one that was signed, AnchorMissing when heads were signed but an
    anchor has none, AnchorInvalid when it holds something else.
    """
    # the anchors first: a head reaches the database before it reaches them
    kept = [(anchor, await anchor.get()) for anchor in app.notary.anchors]
    async with app.store.read() as tx:
        size = await log.size(tx)
        head = await _newest(tx, app.notary)
        if head is not None:
            await _check(tx, head, size, "the newest checkpoint in the database")
        for anchor, note in kept:
            if note is None and head is not None:
                raise AnchorMissing(f"The checkpoint that was kept in {anchor.name} is gone.")
            if note is not None:
                await _check(tx, _anchored(app, anchor, note), size, f"the one in {anchor.name}")
    if size == 0:
        async with app.store.write() as writer:
            if await log.size(writer) == 0:
                await log.append(writer, app.clock, app.entropy, "log.started", actor="server")
                return True
    return False


def _skipped(row: str, what: str) -> None:
    """For who only wants the log's name: a verification, or the start's check, says more."""
    logger.warning("%s cannot be read: %s", row, what)


def _anchored(app: Services, anchor: Anchor, note: str) -> Checkpoint:
    try:
        return notes.verify(note, app.notary.key)
    except CheckpointInvalid as error:
        raise AnchorInvalid(
            f"{anchor.name} does not hold this log's checkpoint: {error}"
        ) from error


async def adopt(app: Services, reason: str) -> Checkpoint:
    """Take the log as it is now, whatever the anchors say, and write down that this was done.

    For an operator who knows why they differ: a restored backup, a lost file. What the log
    itself was signed over is still checked. Returns the new head.
    """
    before: list[int | None] = []
    for anchor in app.notary.anchors:
        try:
            note = await anchor.get()
            before.append(None if note is None else notes.parse(note).size)
        except AvsessionError as error:
            logger.warning("the anchor was not readable: %s", error.code)
            before.append(None)
    refs = {"anchor": "adopted", "before": before}
    async with app.store.write() as tx:
        await log.append(
            tx, app.clock, app.entropy, "log.started",
            actor="server", refs=refs, details={"reason": reason},
        )  # fmt: skip
    return await checkpoint(app)
