"""Building what is disclosed: a package that only its recipient opens, and its leaf."""

from __future__ import annotations

import hashlib
import logging
from typing import Any

from msgspec.structs import replace

from avsession.audit.log import rfc3339
from avsession.audit.verify_exports import sealed_refs
from avsession.errors import (
    AvsessionError,
    ConsentRequired,
    Erased,
    ManifestBroken,
    NotFound,
    RecordingTruncated,
    Unavailable,
)
from avsession.export_records import Disclosure, Taken
from avsession.ports import Reader
from avsession.privacy import export as schema
from avsession.privacy.recipe import File, Recipe, as_json, document, recipe
from avsession.recording import State
from avsession.records import ConsentEvent, EntryRecord, Hold, Recording, TrackRecord
from avsession.sealing.open import VirtualFile
from avsession.sealing.package import seal_to
from avsession.session import Party, Session
from avsession.usecases import taking
from avsession.usecases.common import leaf
from avsession.usecases.disclosures import FAILED, MANY, READY, WAITING, is_decided
from avsession.usecases.packing import Package, measured_all
from avsession.usecases.services import Services

log = logging.getLogger("avsession.disclosing")


async def prepare(app: Services, row: Disclosure) -> None:
    """Build and seal the package, then say so in the log. Raises Unavailable: try again."""
    try:
        async with app.store.read() as tx:
            if not await is_decided(tx, row):
                raise NotFound("The log does not say that this was decided.")
        made = await _recipe(app, row)
        package = Package(made, lambda one: _track(app, row, one))
        done = 0

        def note(count: int) -> None:
            nonlocal done
            done += count
            app.building.note(row.id, done, package.size)

        digest, size = hashlib.sha256(), 0
        async with app.parcels.new(row.id) as stream:

            def write(data: bytes) -> None:
                nonlocal size
                digest.update(data)
                size += len(data)
                stream.write(data)

            await seal_to(package.pieces(note), write, row.recipient)
    except Unavailable:
        raise
    except Exception as error:
        known = error.code if isinstance(error, AvsessionError) else None
        log.error("a disclosure failed: %s", known, exc_info=None if known else error)
        await _settle(app, replace(row, state=FAILED), [])
    else:
        sealed = {"size": size, "sha256": digest.hexdigest(), "manifest": made.digest}
        inside = [one.track for one in made.files if one.track]
        await _settle(app, replace(row, state=READY, **sealed), inside)
    app.building.over(row.id)


async def _settle(app: Services, row: Disclosure, inside: list[str]) -> None:
    """The second ``disclosure.made``, with the digests; for one that failed only its state.

    ``inside``: the tracks in the package; when one was destroyed meanwhile, the package goes, too.
    """
    async with app.store.write() as tx:
        fresh = await tx.get(Disclosure, row.id)
        if fresh is None or fresh.state != WAITING:
            await app.parcels.remove(row.id)  # its person was erased while it was built
            return
        # what an erasure took meanwhile stays away
        row = replace(row, reason=fresh.reason, basis_text=fresh.basis_text, target=fresh.target)
        found = [await tx.get(TrackRecord, name) for name in inside]
        if any(track is None or track.erased_ms is not None for track in found):
            row = replace(row, state=FAILED, size=0, sha256="", manifest="")
        if row.state == READY:
            party = await tx.get(Party, row.target) if row.scope == "party" else None
            index = await leaf(
                app,
                tx,
                "disclosure.made",
                session=await tx.get(Session, row.session),
                subject=party,
                actor="server",
                refs=sealed_refs(row),
            )
            row = replace(row, leaf=index)
        await tx.put(row)
    if row.state == FAILED:
        await app.parcels.remove(row.id)


async def _track(app: Services, row: Disclosure, one: File) -> VirtualFile:
    return await taking.track_file(app, one.taken, one.track, row.expires_ms)


async def _recipe(app: Services, row: Disclosure) -> Recipe:
    media = await _media(app, row) if "media" in row.parts else []
    async with app.store.read() as tx:
        said = await _document(app, tx, row, media)
    files = [document("disclosure.json", as_json(said), "application/json", schema.DISCLOSURE)]
    if "media" in row.parts:
        files += await _manifests(app, media)
    return recipe("disclosure", row.id, app.clock.now_ms(), [*files, *media])


async def _media(app: Services, row: Disclosure) -> list[File]:
    async with app.store.read() as tx:
        taken = await tx.find(Taken, what=row.id, order="at_ms")
        found = [(one, await tx.get(TrackRecord, name)) for one in taken for name in one.tracks]
        parties = [await tx.get(Party, track.party) if track else None for _, track in found]
    opened: list[tuple[str, str, str, VirtualFile]] = []
    for (one, track), party in zip(found, parties, strict=True):
        if track is None:
            continue
        name = f"recordings/{one.recording}/{party.role if party else 'nobody'}.webm"
        try:
            file = await taking.track_file(app, one.id, track.id, row.expires_ms)
        except (ConsentRequired, Erased, NotFound, RecordingTruncated, ManifestBroken) as error:
            log.warning("a track is not in a disclosure: %s", error.code)
            continue
        opened.append((name, one.id, track.id, file))
    return await measured_all(app, row.id, opened)


async def _manifests(app: Services, media: list[File]) -> list[File]:
    """Each recording's signed chain, by which its recipient can check the media."""
    names = dict.fromkeys(file.name.split("/")[1] for file in media)
    files = []
    async with app.store.read() as tx:
        for name in names:
            entries = await tx.find(EntryRecord, recording=name, order="n", limit=MANY)
            data = b"".join(entry.line + b"\n" for entry in entries)
            files.append(document(f"recordings/{name}/manifest.jsonl", data, "application/jsonl"))
    return files


async def _document(
    app: Services, tx: Reader, row: Disclosure, media: list[File]
) -> dict[str, Any]:
    """``avsession.disclosure.v1``: the act itself, and what it says of the session."""
    session = await tx.get(Session, row.session)
    if session is None:
        raise NotFound
    names = {file.track: file.name for file in media}
    parties = await tx.find(Party, session=session.id, order="created_ms")
    if row.scope == "party":
        parties = [party for party in parties if party.id == row.target]
    wanted = await tx.find(Recording, session=session.id, order="created_ms")
    if row.scope == "recording":
        wanted = [one for one in wanted if one.id == row.target]
    said: dict[str, Any] = {
        "schema": schema.DISCLOSURE,
        "disclosure": row.id,
        "made": rfc3339(row.made_ms),
        "controller": app.settings.controller.name,
        "given_to": row.given_to,
        "basis": row.basis,
        "basis_text": row.basis_text,
        "parts": row.parts,
        "session": {"session": session.id, "created": rfc3339(session.created_ms)},
        "recordings": [
            {
                "recording": one.id,
                "state": str(one.state),
                "purposes": one.purposes,
                "created": rfc3339(one.created_ms),
                "duration_ms": one.duration_ms,
                "recorder_key": one.recorder_key,
                "tracks": [
                    {"track": track.id, "party": track.party, "file": names.get(track.id)}
                    for track in await tx.find(TrackRecord, recording=one.id)
                    if row.scope != "party" or track.party == row.target
                ],
            }
            for one in wanted
            if one.state is not State.ERASED
        ],
    }
    if "records" not in row.parts:
        return said
    requests = {one.request for one in wanted}
    said["parties"] = [
        {"party": party.id, "role": str(party.role), "name": party.name} for party in parties
    ]
    said["consents"] = [
        {"event": one.id, "kind": one.kind, "at": rfc3339(one.at_ms), "document": one.document}
        for party in parties
        for one in await tx.find(ConsentEvent, party=party.id, order="leaf", limit=MANY)
        if row.scope != "recording" or one.request in requests
    ]
    said["holds"] = [
        {"category": one.category, "placed": rfc3339(one.placed_ms)}
        for one in await tx.find(Hold, session=session.id, order="placed_ms")
    ]
    return said
