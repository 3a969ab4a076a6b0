"""An admin at the console takes a recording out: for a reason and a purpose that was consented to.

Whoever has the console could read the files anyway; what this does is to write it down first, in
the log and where the people in the recording see it, and to keep to what they agreed to. So that
nobody writes down somebody else's name, the admin's own password is asked for: it is the step-up of
the page, but for passkeys, which need a browser.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from avsession.audit.log import rfc3339
from avsession.errors import (
    Conflict,
    ConsentRequired,
    Erased,
    Invalid,
    NotFound,
    NotPermitted,
    PurposeExpired,
    SignInFailed,
)
from avsession.export_records import Taken
from avsession.ports import Reader
from avsession.privacy.recipe import File, Recipe, as_json, document, recipe
from avsession.recording import State
from avsession.records import Account, EntryRecord, Recording, TrackRecord
from avsession.sealing.open import VirtualFile
from avsession.session import Party
from avsession.signin_records import Passkey
from avsession.usecases import accounts, keeping, outgoing, taking, tracks
from avsession.usecases.common import leaf
from avsession.usecases.holds import MAX_REASON, MIN_REASON, checked_text
from avsession.usecases.packing import measured_all
from avsession.usecases.permissions import PERMISSIONS, RECORDING_EXPORT
from avsession.usecases.services import Services
from avsession.usecases.stepup import StepUpRequired

SCHEMA = "avsession.recording.v1"
ACTOR, ACTION = "console", "export"
"""How leaves call who does this, and what was confirmed."""
FOREVER_MS = 2**53
"""A command ends by itself; nothing closes its files before."""


Ask = Callable[[], str]
"""Asks the admin for their password, and waits for it; run in a thread."""


async def take(
    app: Services,
    login: str,
    recording: str,
    purpose: str,
    reason: str,
    ask: Ask = str,
) -> Taken:
    """Write down that ``login``, an admin, takes the recording out; nothing is opened before.

    Raises NotPermitted for who is no admin, SignInFailed for a wrong password, StepUpRequired for
    an account that has none, NotFound, Invalid, Conflict while it still runs, Erased, Restricted,
    ConsentRequired for a purpose that not everyone allowed, or once consent was taken back,
    PurposeExpired.
    """
    reason = checked_text(reason, MIN_REASON, MAX_REASON, "A reason")
    async with app.store.read() as tx:
        account = await _admin(tx, login)
    by_password = await _confirmed(app, account, ask)
    async with app.store.write() as tx:
        if (await _admin(tx, login)).password != account.password:
            raise SignInFailed("The password was changed just now.")
        row = await tx.get(Recording, recording)
        if row is None:
            raise NotFound("There is no such recording.")
        if row.state is State.ERASED:
            raise Erased
        if row.state not in tracks.PLAYABLE:
            raise Conflict("The recording is not finished yet.")
        if purpose not in row.purposes:
            allowed = ", ".join(row.purposes) or "none"
            raise ConsentRequired(f"Not everyone consented to that purpose; to these: {allowed}.")
        if purpose in await keeping.expired(tx, row, app.clock.now_ms()):
            raise PurposeExpired
        found = await outgoing.for_admin(tx, row)
        if not found:
            raise ConsentRequired("Consent was taken back; it is not decided yet what is kept.")
        if by_password:
            refs = {"what": "step_up", "action": ACTION, "target": row.id, "by": "password"}
            await leaf(app, tx, "access.granted", actor=ACTOR, refs=refs)
        return await taking.take(
            app, tx, row, found,
            why="admin", actor=ACTOR, account=account.id, purpose=purpose, reason=reason,
        )  # fmt: skip


async def _admin(tx: Reader, login: str) -> Account:
    account = await tx.one(Account, login=login)
    if account is None or account.disabled:
        raise NotPermitted(f"There is no account {login}.")
    if RECORDING_EXPORT not in PERMISSIONS[account.role]:
        raise NotPermitted
    return account


async def _confirmed(app: Services, account: Account, ask: Ask) -> bool:
    """Whether they gave their password; False where a sign-in needs none (loopback addresses)."""
    if account.password is None:
        async with app.store.read() as tx:
            nothing = not await tx.count(Passkey, account=account.id)
        if nothing and app.settings.is_loopback:
            return False
        raise StepUpRequired(
            "This account has no password that could be asked for here. Open the recording on the "
            "admin's page, or use an account that has one."
        )
    right, _ = await app.passwords.verify(account.password, await asyncio.to_thread(ask))
    if not right:
        await accounts.refused(app, "step_up", address="", login=account.login)
        raise SignInFailed("That is not the password of this account.")
    return True


async def prepared(app: Services, taken: Taken) -> Recipe:
    """The archive of what was written down: tracks, the signed chain, what was agreed.

    Raises Invalid when nothing of it can be read.
    """
    async with app.store.read() as tx:
        row = await tx.get(Recording, taken.recording)
        if row is None:
            raise NotFound
        found = [await tx.get(TrackRecord, name) for name in taken.tracks]
        parties = [await tx.get(Party, track.party) if track else None for track in found]
        entries = await tx.find(EntryRecord, recording=row.id, order="n", limit=tracks.MAX_ENTRIES)
    opened: list[tuple[str, str, str, VirtualFile]] = []
    for track, party in zip(found, parties, strict=True):
        if track is not None:
            file = await taking.track_file(app, taken.id, track.id, FOREVER_MS)
            role = party.role if party else "nobody"
            opened.append((f"{role}-{track.id[4:12]}.webm", taken.id, track.id, file))
    media = await measured_all(app, taken.id, sorted(opened, key=lambda one: one[0]))
    if not media:
        raise Invalid("Nothing of this recording can be read.")
    said = as_json(_document(row, taken, media))
    chain = b"".join(entry.line + b"\n" for entry in entries)
    files = [
        document("recording.json", said, "application/json", SCHEMA),
        document("manifest.jsonl", chain, "application/jsonl"),
        *media,
    ]
    return recipe("recording", taken.id, taken.at_ms, files)


def _document(row: Recording, taken: Taken, media: list[File]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "recording": row.id,
        "session": row.session,
        "state": str(row.state),
        "created": rfc3339(row.created_ms),
        "duration_ms": row.duration_ms,
        "purposes": row.purposes,
        "recorder_key": row.recorder_key,
        "exported": rfc3339(taken.at_ms),
        "purpose": taken.purpose,
        "files": {file.track: file.name for file in media},
        "damaged": sorted(set(taken.tracks) - {file.track for file in media}),
    }
