"""Which disclosures a person is told of, and from when on."""

from __future__ import annotations

from avsession.export_records import Disclosure
from avsession.ports import Reader
from avsession.records import TrackRecord
from avsession.session import Party

MANY = 10_000
"""Disclosures of one session that are gone through."""


async def disclosed(tx: Reader, party: Party, now_ms: int) -> list[Disclosure]:
    """The disclosures that a person is told of: made, about them, and not silent any more."""
    found = []
    own = {track.recording for track in await tx.find(TrackRecord, party=party.id)}
    for one in await tx.find(Disclosure, session=party.session, order="made_ms", limit=MANY):
        about = one.target in own or one.target in (party.id, party.session)
        if about and one.leaf is not None and not is_silent(one, now_ms):
            found.append(one)
    return found


def is_silent(one: Disclosure, now_ms: int) -> bool:
    """Whether the person may not be told of it yet."""
    return one.silent_until_ms is not None and one.silent_until_ms > now_ms
