"""The server killed at bad moments: what was said is there, and nothing is open by itself."""

from __future__ import annotations

import signal

from tests.browser.product import until
from tests.faults.outside import Outside, agree, key
from tests.faults.taken import Worker, now_ms


async def live(worker: Worker) -> list[object]:
    """What the server says is live for this worker."""
    await worker.settle()
    beats = [said for said in worker.wire.heard if said["type"] == "recorder.heartbeat"]
    found: list[object] = beats[-1]["live"]
    return found


async def test_killed_while_it_records_and_while_consent_is_taken_back(out: Outside) -> None:
    product = out.product
    one, other = await out.call(await out.sign_in("agent"))
    worker = Worker(out)
    await worker.join()
    request = await agree(one, other)
    old = await worker.granted()
    await worker.begin()
    await worker.store(one, other)
    await product.stop(signal.SIGKILL)
    await product.start()
    # consent and segments are there; the gate is not open
    events = [row["kind"] for row in product.rows("select kind from consent_event order by leaf")]
    assert events == ["requested", "given", "given"]
    assert product.rows("select count(*) as n from segment")[0]["n"] == 6
    assert {row["presence"] for row in product.rows("select presence from party")} == {"unknown"}
    (grant,) = product.rows("select closed_ms from capture_grant")
    assert grant["closed_ms"] <= now_ms()
    assert (await worker.join(old.recording))["known"] == {old.recording: len(worker.chain)}
    assert await live(worker) == []
    late = worker.sealed(other)
    assert (await worker.line(late))["code"] == "segment.refused"
    assert not worker.spooled(late.track, late.index).exists()
    # one of two is not everyone
    await one.join()
    assert await live(worker) == []
    after = len(worker.wire.heard)
    await other.join()
    new = await worker.granted(after)
    assert (new.recording, new.request) == (old.recording, request)
    assert new.generation > old.generation
    # taken back, and killed before anybody answers; said again until it is answered
    taken_back = {"request": request, "key": key()}
    await other.wire.say("consent.withdraw", **taken_back)
    await product.stop(signal.SIGKILL)
    await product.start()
    await worker.join(old.recording)
    assert await live(worker) == []
    wire = await other.join()
    assert (await wire.ask("consent.withdraw", **taken_back))["type"] == "ack"
    await one.join()
    assert await live(worker) == []
    events = [row["kind"] for row in product.rows("select kind from consent_event order by leaf")]
    assert events == ["requested", "given", "given", "withdrawn"]
    # no choice, and the recorder does not come back: nothing is left that opens
    await worker.wire.close()
    said = await wire.ask("consent.fate", request=request, fate="destroy")
    assert said["type"] == "ack"
    await until("erased", lambda: product.rows("select 1 from recording where state = 'erased'"))
    await until(
        "keys and objects gone",
        lambda: (
            not [
                path
                for path in product.files("objects", "custody")
                if old.recording in path.parts or any(leg.track in path.name for leg in old.legs)
            ]
        ),
    )
    numbers = [row["number"] for row in product.rows("select number from leaf order by number")]
    assert numbers == list(range(len(numbers)))
