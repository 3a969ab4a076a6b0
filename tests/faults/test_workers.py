"""A recorder worker that lies, or that came back as another one."""

from __future__ import annotations

from avsession.recording import Gap, Line, encode_line, sign_entry
from tests.faults.outside import Outside, agree
from tests.faults.taken import Worker


async def test_a_worker_that_came_back_without_its_keys(out: Outside) -> None:
    """Its machine died and it starts anew before anybody noticed: what was live is not any more.

    Nobody is told that recording is on while nothing captures; consent stands, so the new one
    gets a grant of its own.
    """
    agent, customer = await out.call(await out.sign_in("agent"))
    before = Worker(out)
    await before.join()
    await agree(agent, customer)
    old = await before.granted()
    await before.begin()
    await before.store(customer)
    after = len(customer.wire.heard)
    fresh = Worker(out, before.id)
    await fresh.join(old.recording)
    await before.wire.hear("closed", code=4001)
    off = await customer.wire.hear("recording.state", after=after)
    assert off["recording"]["state"] == "off"
    assert off["recording"]["reason"] in {"recorder_lost", "recorder_unavailable"}
    await fresh.settle()
    beats = [said for said in fresh.wire.heard if said["type"] == "recorder.heartbeat"]
    assert beats[-1]["live"] == []
    (grant,) = out.product.rows(
        "select closed_ms, reason from capture_grant where generation = ?", old.generation
    )
    assert grant["closed_ms"] is not None
    assert grant["reason"] == "recorder_lost"
    assert [said["type"] for said in fresh.wire.heard].count("recorder.capture") == 0


async def test_a_worker_that_came_back_as_it_was(out: Outside) -> None:
    """A broken connection alone ends nothing: its legs are still there."""
    agent, customer = await out.call(await out.sign_in("agent"))
    before = Worker(out)
    await before.join()
    await agree(agent, customer)
    grant = await before.granted()
    again = Worker(out, before.id)
    again.key, again.fingerprint = before.key, before.fingerprint
    await again.join(grant.recording)
    await again.settle()
    beats = [said for said in again.wire.heard if said["type"] == "recorder.heartbeat"]
    live = {"recording": grant.recording, "generation": grant.generation}
    assert beats[-1]["live"] == [live]


async def test_a_manifest_line_is_one_line_of_canonical_json(out: Outside) -> None:
    """What is stored must be readable by anyone: no line breaks, nothing beside the entry."""
    agent, customer = await out.call(await out.sign_in("agent"))
    worker = Worker(out)
    await worker.join()
    await agree(agent, customer)
    grant = await worker.granted()
    await worker.begin()
    entry = worker.entry(Gap, track=grant.legs[0].track, start_ms=0, end_ms=1, reason="no.media")
    line: Line = sign_entry(entry, worker.key)
    text = encode_line(line).decode()
    assert '"entry":{' in text
    for amiss in (text.replace('"entry":', '"entry":\n'), text + " ", text.replace(",", ", ", 1)):
        after = len(worker.wire.heard)
        await worker.wire.say("worker.manifest", recording=grant.recording, line=amiss)
        said = await worker.wire.hear("recorder.accepted", "recorder.refused", after=after)
        assert (said["type"], said.get("code")) == ("recorder.refused", "manifest.broken")
    assert out.product.rows("select count(*) as n from manifest_entry")[0]["n"] == 2
