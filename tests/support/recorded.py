"""A consent that was given, and a recording under it: sealed, signed, stored as by a recorder."""

from __future__ import annotations

import dataclasses

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession.canonical import b64, sha256_hex
from avsession.messages import EnrolKey, GiveConsent, NoticeShown, RequestRecording
from avsession.recording import (
    GENESIS,
    AnyEntry,
    Begin,
    Cluster,
    End,
    Gap,
    Sealed,
    State,
    TrackInfo,
    encode_line,
    entry_digest,
    sign_entry,
)
from avsession.records import (
    EntryRecord,
    Recording,
    RecordingRequest,
    SegmentRecord,
    TrackRecord,
)
from avsession.sealing.seal import Sealer
from avsession.session import Party, new_id
from avsession.usecases import consent, keys, presence
from avsession.usecases.services import Services
from recorder import webm
from recorder.frames import EncodedFrame, Kind
from tests.support.signer import Signer

SECONDS = 4
FRAME = 100_000
"""Bytes of a made-up keyframe, one a second: enough that a track takes more than one chunk."""


@dataclasses.dataclass
class Recorded:
    """A finished recording: ``tracks`` by party, and where each segment lies."""

    recording: str
    request: str
    tracks: dict[str, str]
    frames: dict[str, list[bytes]] = dataclasses.field(repr=False)
    """Party -> the video frames that its track holds."""

    def segment(self, party: str, index: int) -> str:
        """The object name of a segment."""
        return f"{self.recording}/{self.tracks[party]}/{index:06d}.age"


async def agree(app: Services, agent: str, *others: str) -> str:
    """Everybody joins, is asked and allows ``quality``. Returns the request."""
    for party in (agent, *others):
        await presence.joined(app, party)
    await consent.request_recording(
        app, agent, RequestRecording(purposes=("quality",), key="request-recording-1")
    )
    async with app.store.read() as tx:
        row = await tx.get(Party, agent)
        assert row is not None
        (request,) = await tx.find(RecordingRequest, session=row.session)
    notice = request.notices["en"]
    for party in (agent, *others):
        signer = await enrolled(app, party)
        await consent.shown(
            app, party, NoticeShown(request=request.id, notice=notice, language="en")
        )
        given = GiveConsent(
            request=request.id,
            notice=notice,
            language="en",
            purposes=("quality",),
            key="give-consent-1234",
            signed=signer.sign(
                app.clock.now_ms(),
                action="give",
                request=request.id,
                notice=notice,
                language="en",
                purposes=("quality",),
            ),
        )
        await consent.give(app, party, given)
    return request.id


async def enrolled(app: Services, party: str) -> Signer:
    """A key of this party's, as its page would have made it."""
    async with app.store.read() as tx:
        row = await tx.get(Party, party)
    assert row is not None
    signer = Signer(row.session, party)
    enrolment = signer.enrolment(keys.challenge(app, party))
    await keys.enrol(app, party, EnrolKey(**enrolment, key="enrol-key-1234567"))
    return signer


async def record(app: Services, request_id: str, *parties: str) -> Recorded:
    """A sealed recording of these parties under that request, with a gap a track."""
    signer, now = Ed25519PrivateKey.generate(), app.clock.now_ms()
    recording = new_id("rec", app.entropy)
    tracks = {party: new_id("trk", app.entropy) for party in parties}
    recipients = {
        party: await app.custody.create(recording, track) for party, track in tracks.items()
    }
    infos = tuple(TrackInfo(tracks[party], party, recipients[party]) for party in parties)
    entries: list[AnyEntry] = [
        Begin(
            recording=recording,
            n=0,
            prev=GENESIS,
            at_ms=now,
            epoch_ms=now,
            recorder_key=b64(signer.public_key().public_bytes_raw()),
            tracks=infos,
        )
    ]
    segments: list[SegmentRecord] = []
    frames: dict[str, list[bytes]] = {party: [] for party in parties}

    def append(entry: AnyEntry) -> None:
        last = entries[-1]
        entries.append(msgspec.structs.replace(entry, n=last.n + 1, prev=entry_digest(last)))

    async def seal(party: str, index: int, second: int | None, plain: bytes) -> None:
        sealed = Sealer(recipients[party]).seal(plain)
        start = 0 if second is None else second * 1000
        clusters = () if second is None else (Cluster(0, start, True),)
        append(
            Sealed(
                recording=recording,
                n=0,
                prev="",
                at_ms=now,
                track=tracks[party],
                index=index,
                generation=1,
                start_ms=start,
                end_ms=start,
                captured_ms=now,
                uncertainty_ms=1.0,
                sha256=sha256_hex(sealed),
                size=len(sealed),
                plain_size=len(plain),
                clusters=clusters,
            )
        )
        segments.append(
            SegmentRecord(
                track=tracks[party],
                index=index,
                recording=recording,
                sha256=sha256_hex(sealed),
                size=len(sealed),
            )
        )
        await app.objects.put(f"{recording}/{tracks[party]}/{index:06d}.age", sealed)

    for party in parties:
        await seal(party, 0, None, webm.header(320, 240))
        for second in range(SECONDS):
            frame = app.entropy(FRAME)
            frames[party].append(frame)
            group = [EncodedFrame(Kind.VIDEO, second * 1000, second * 1000, frame, True)]
            await seal(party, second + 1, second, webm.cluster(group))
        append(
            Gap(
                recording=recording,
                n=0,
                prev="",
                at_ms=now,
                track=tracks[party],
                start_ms=1500,
                end_ms=1900,
                reason="paused",
            )
        )
    append(
        End(
            recording=recording,
            n=0,
            prev="",
            at_ms=now,
            state="sealed",
            duration_ms=SECONDS * 1000,
        )
    )
    async with app.store.write() as tx:
        request = await tx.get(RecordingRequest, request_id)
        assert request is not None
        await tx.add(
            Recording(
                id=recording,
                session=request.session,
                request=request.id,
                state=State.SEALED,
                reason="stopped",
                purposes=request.purposes,
                epoch_ms=now,
                generation=1,
                worker=None,
                recorder_key=b64(signer.public_key().public_bytes_raw()),
                created_ms=now,
                closed_ms=now,
                duration_ms=SECONDS * 1000,
                manifest_head=entry_digest(entries[-1]),
            )
        )
        for party in parties:
            await tx.add(
                TrackRecord(
                    id=tracks[party],
                    recording=recording,
                    party=party,
                    recipient=recipients[party],
                )
            )
        for segment in segments:
            await tx.add(segment)
        for entry in entries:
            line = encode_line(sign_entry(entry, signer))
            await tx.add(EntryRecord(recording=recording, n=entry.n, line=line))
    return Recorded(recording, request_id, tracks, frames)
