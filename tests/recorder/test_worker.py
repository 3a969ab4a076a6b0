import asyncio
import fcntl
import logging
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from avsession import logs
from avsession.config_processes import LINK
from avsession.errors import SettingsInvalid, Unavailable
from avsession.grant import SignedConsent
from avsession.messages import (
    Capture,
    CaptureServers,
    IceServer,
    LegLost,
    LegOffer,
    LegTrickled,
    WorkerWelcome,
)
from avsession.recording import Attach, Dropped, End
from avsession.tasks import Tasks
from recorder.worker import Worker
from tests.recorder.harness import decode, streams
from tests.recorder.publishers import AiortcPublisher
from tests.recorder.signaling_stub import (
    RECORDING,
    SESSION,
    TRACK,
    Running,
    Signaling,
    answer_with,
    identifier,
    refused,
    stored,
)
from tests.support.ports import free_port
from tests.support.signer import Signer


async def test_a_recordings_relay_is_renewed_and_forgotten_with_it(
    signaling: Signaling, running: Running
) -> None:
    """The next leg takes the newest credentials; none are kept when the recording is gone."""
    nowhere = f"turn:127.0.0.1:{free_port()}?transport=tcp"
    old = IceServer(urls=(nowhere,), username="1:x", credential="old")
    new = IceServer(urls=(nowhere,), username="2:x", credential="new")
    signaling.ice_servers = (old,)
    await signaling.say(WorkerWelcome(ice_servers=(), known={}, relay_only=True))
    await signaling.capture()
    await signaling.until(lambda: len(signaling.said(LegOffer)) == 1)
    legs = running.worker._legs
    assert "a=candidate" not in signaling.said(LegOffer)[0].sdp, "TURN alone, and it is not there"
    assert legs.servers(RECORDING, 0) == [old]
    await signaling.say(CaptureServers(recording=RECORDING, ice_servers=(new,)))
    await signaling.say(CaptureServers(recording=identifier("rec", "z"), ice_servers=(new,)))
    party = signaling.said(LegOffer)[0].party
    await signaling.say(LegLost(recording=RECORDING, generation=1, party=party, reason="test"))
    await signaling.until(lambda: len(signaling.said(LegOffer)) == 2)
    assert legs.relays == {RECORDING: (new,)}
    await signaling.close_gate(final=True, erase=True)
    async with asyncio.timeout(10):
        while legs.relays:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_recording_from_grant_to_end(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher], tmp_path: Path
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 4)
    moment = await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)

    manifest = signaling.manifest
    kinds = [type(entry).__name__ for entry in manifest.entries]
    assert kinds[:3] == ["Begin", "Attach", "Sealed"]
    assert kinds[-2:] == ["Detach", "End"]
    end = signaling.entries(End)[0]
    assert (end.state, end.duration_ms) == ("sealed", manifest.duration_ms)
    assert signaling.states() == ["connected", "capturing", "closed"]

    header, *segments = manifest.segments(TRACK)
    assert (header.index, header.clusters) == (0, ())
    # a sender may be a moment late with its picture
    assert next(s for s in segments if s.video_frames).clusters[0].keyframe
    last_end = 0
    for segment in segments:
        assert segment.captured_ms + segment.uncertainty_ms <= moment
        assert last_end <= segment.start_ms <= segment.end_ms < segment.start_ms + 1000
        last_end = segment.end_ms
    path = tmp_path / "party.webm"
    path.write_bytes(signaling.plain())
    assert decode(path) == ""
    counted = streams(path)
    assert counted["vp8"] == sum(s.video_frames for s in segments) > 20
    assert counted["opus"] == sum(s.audio_frames for s in segments) > 50

    # the domain has it all: nothing of it is left in the spool
    spool = signaling.spool / RECORDING
    await signaling.until(lambda: not spool.exists())


async def test_segments_open_with_the_stock_age_tool(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher], tmp_path: Path
) -> None:
    assert shutil.which("age"), "the age tool is not installed"
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 3)
    await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    key = tmp_path / "track.key"
    key.write_text(str(signaling.identity) + "\n")
    out = b""
    for segment in signaling.manifest.segments(TRACK):
        command = ["age", "--decrypt", "-i", str(key), str(signaling.stored(segment))]
        age = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
        out += age.stdout
    assert out == signaling.plain()
    path = tmp_path / "party.webm"
    path.write_bytes(out)
    assert set(streams(path)) == {"vp8", "opus"}


async def test_no_plain_media_on_disk(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher], tmp_path: Path
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 3)
    await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    # every block of every cluster, and what each WebM file begins with
    plain = signaling.plain()
    needles = [plain[i : i + 24] for i in range(4, len(plain) - 24, 997)] + [b"\x1a\x45\xdf\xa3"]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(needle in data for needle in needles), path.name
            assert not path.is_relative_to(signaling.spool) or path.stat().st_mode & 0o077 == 0


async def test_nothing_after_the_closing_moment_is_kept(
    signaling: Signaling, publishers: list[AiortcPublisher]
) -> None:
    signaling.clock_ahead_ms = 123_456_789.0
    running = Running(signaling)
    await signaling.until(lambda: signaling.hello)
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    # the order comes late: the gate closed 150 ms ago
    moment = await signaling.close_gate(final=True, closed_ms=int(signaling.now_ms) - 150)
    await signaling.until(lambda: signaling.manifest.complete)
    epoch = signaling.manifest.begin.epoch_ms
    (attach,) = signaling.entries(Attach)
    assert attach.clock_uncertainty_ms < 60
    for segment in signaling.manifest.segments(TRACK):
        assert segment.captured_ms + segment.uncertainty_ms <= moment
        slack = segment.uncertainty_ms + attach.clock_uncertainty_ms + 1
        assert epoch + segment.end_ms <= moment + slack
    await running.stop()


async def test_a_refused_segment_is_deleted_and_said(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    signaling.refuse_segments = True
    await signaling.capture()
    await signaling.until(lambda: len(signaling.entries(Dropped)) >= 2)
    signaling.refuse_segments = False
    await signaling.until(lambda: stored(signaling) >= 2)
    await signaling.close_gate(final=True)
    await signaling.until(lambda: signaling.manifest.complete)
    dropped = signaling.entries(Dropped)
    assert {d.reason for d in dropped} == {"segment.refused"}
    # its header was among them, so that another was written
    kept = signaling.manifest.segments(TRACK)
    assert not kept[0].clusters
    assert signaling.plain().startswith(b"\x1a\x45\xdf\xa3")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": Ed25519PrivateKey.generate()}, "grant.invalid"),
        ({"fingerprint": ":".join(["AB"] * 32)}, "grant.invalid"),
        ({"worker": identifier("wrk", "b")}, "grant.invalid"),
        ({"recorder_key": "A" * 43}, "grant.invalid"),
        ({"expires_ms": 1}, "grant.expired"),
        ({"generation": 0}, "grant.stale"),
        ({"legs": ()}, "grant.invalid"),
    ],
)
async def test_a_grant_that_is_not_for_this_recorder_captures_nothing(
    signaling: Signaling, running: Running, changes: dict[str, object], code: str
) -> None:
    generation = changes.pop("generation", 1)
    assert isinstance(generation, int)
    await signaling.capture(generation, **changes)
    await signaling.until(lambda: refused(signaling))
    assert refused(signaling) == [code]
    assert signaling.said(LegOffer) == []
    assert signaling.lines == []
    assert not (signaling.spool / RECORDING).exists()


async def test_a_forged_consent_captures_nothing(signaling: Signaling, running: Running) -> None:
    """The third lock, with the domain's open: it signs a grant that a party did not."""
    party = signaling.decoded(signaling.grant()).consents[0]
    session, request = SESSION, signaling.decoded(signaling.grant()).request
    server = Signer(session, party.party)  # a key of its own, under the party's name
    forgeries = {
        "nobody signed": (),
        "a party twice": (party, party),
        "another party": (replaced(party, party=identifier("pty", "z")),),
        "more than was ticked": (replaced(party, purposes=("quality", "evidence")),),
        "another notice": (replaced(party, notice="1" * 64),),
        "another language": (replaced(party, language="de"),),
        "another moment": (replaced(party, time="2020-01-01T00:00:00.000Z"),),
        "no signature": (replaced(party, signature=""),),
        "another's key": (replaced(party, public_key=server.public_key),),
        "no key": (replaced(party, public_key=""),),
        "for another request": (server.consent(int(signaling.now_ms), "req_other", "evt_1"),),
        "for other purposes": (server.consent(int(signaling.now_ms), request, "evt_1", "other"),),
        "from tomorrow": (server.consent(int(signaling.now_ms) + 86_400_000, request, "evt_1"),),
    }
    for number, consents in enumerate(forgeries.values(), 1):
        await signaling.capture(number, consents=consents)
        await signaling.until(lambda: len(refused(signaling)) >= number)  # noqa: B023
    assert refused(signaling) == ["signature.invalid"] * len(forgeries)
    assert signaling.said(LegOffer) == []
    assert not (signaling.spool / RECORDING).exists()
    # the same words by the same key, for this request: nothing else stood in the way
    consents = (Signer(session, party.party).consent(int(signaling.now_ms), request, "evt_1"),)
    await signaling.capture(len(forgeries) + 1, consents=consents)
    await signaling.until(lambda: signaling.said(LegOffer))


def replaced(consent: SignedConsent, **changes: object) -> SignedConsent:
    return msgspec.structs.replace(consent, **changes)


async def test_junk_for_a_grant_is_refused(signaling: Signaling, running: Running) -> None:
    await signaling.say(Capture(grant="junk", resume=0))
    await signaling.until(lambda: refused(signaling) == ["grant.invalid"])


async def test_an_older_generation_changes_nothing(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture(5)
    await signaling.until(lambda: stored(signaling) >= 2)
    await signaling.say(Capture(grant=signaling.grant(4), resume=len(signaling.lines)))
    await signaling.until(lambda: refused(signaling) == ["grant.stale"])
    seen = stored(signaling)
    await signaling.until(lambda: stored(signaling) > seen)
    assert [a.generation for a in signaling.entries(Attach)] == [5]


async def test_messages_for_other_legs_mean_nothing(
    signaling: Signaling, running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    await signaling.capture(3)
    await signaling.until(lambda: signaling.said(LegOffer))
    (offer,) = signaling.said(LegOffer)
    wrong = [
        replace_offer(offer, generation=2),
        replace_offer(offer, party=identifier("pty", "z")),
        replace_offer(offer, recording=identifier("rec", "z")),
    ]
    with caplog.at_level(logging.WARNING, "recorder"):
        for each in wrong:
            await answer_with(signaling, each, "v=0\r\n" * 5)
            await signaling.say(
                LegTrickled(
                    recording=each.recording, generation=each.generation, party=each.party,
                    candidate="candidate:1 1 udp 1 192.0.2.1 9 typ host",
                )
            )  # fmt: skip
        # the real leg still waits for its answer; a bad one costs it
        await answer_with(signaling, offer, "v=0\r\n" * 5)
        await signaling.until(lambda: "failed" in signaling.states())
    assert sum("not live" in record.message for record in caplog.records) == 2 * len(wrong)
    await signaling.until(lambda: len(signaling.said(LegOffer)) == 2)


def replace_offer(offer: LegOffer, **changes: object) -> LegOffer:
    return msgspec.structs.replace(offer, **changes)


async def test_erase_leaves_nothing(
    signaling: Signaling, running: Running, publishers: list[AiortcPublisher]
) -> None:
    await signaling.capture()
    await signaling.until(lambda: stored(signaling) >= 2)
    await signaling.close_gate(final=True, erase=True)
    await signaling.until(lambda: not (signaling.spool / RECORDING).exists())
    assert not signaling.manifest.complete
    assert [path.name for path in signaling.spool.iterdir() if path.is_dir()] == []


async def test_whether_it_has_a_link_can_be_seen(signaling: Signaling, running: Running) -> None:
    def linked() -> bool:
        with (signaling.spool / LINK).open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    await signaling.until(linked)  # looks with each heartbeat
    signaling.refuse_credential = True
    await signaling.drop()
    async with asyncio.timeout(10):
        while linked():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_two_workers_never_share_a_spool(signaling: Signaling, running: Running) -> None:
    with pytest.raises(Unavailable):
        Worker(signaling.config)


async def test_a_full_disk_starts_no_recording(
    signaling: Signaling, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker(replace(signaling.config, min_free_bytes=1 << 60))
    tasks = Tasks()
    task = tasks.spawn(worker.run(), name="worker")
    await signaling.until(lambda: signaling.hello)
    await signaling.capture()
    await signaling.until(lambda: refused(signaling) == ["storage.full"])
    (line,) = [one for one in caplog.records if one.message == "a grant was refused"]
    assert logs.fields(line).keys() == {"recording", "session", "code"}
    worker.stop()
    await task


async def test_beyond_its_capacity_a_worker_refuses(signaling: Signaling) -> None:
    worker = Worker(replace(signaling.config, capacity=1))
    tasks = Tasks()
    task = tasks.spawn(worker.run(), name="worker")
    await signaling.until(lambda: signaling.hello)
    await signaling.capture()
    other = signaling.grant(recording=identifier("rec", "b"))
    await signaling.say(Capture(grant=other, resume=0))
    await signaling.until(lambda: refused(signaling) == ["too_many"])
    worker.stop()
    await task


async def test_the_rest_of_anothers_recording_is_not_begun_here(
    signaling: Signaling, running: Running
) -> None:
    await signaling.say(Capture(grant=signaling.grant(), resume=7))
    await signaling.until(lambda: refused(signaling) == ["unavailable"])
    assert not (signaling.spool / RECORDING).exists()


def test_a_credential_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    signaling = Signaling(tmp_path)
    (tmp_path / "credential").chmod(0o644)
    with pytest.raises(SettingsInvalid):
        Worker(signaling.config)
