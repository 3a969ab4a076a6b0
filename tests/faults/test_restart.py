"""The server killed at bad moments: what was said is there, and nothing is open by itself."""

from __future__ import annotations

import io
import signal
import zipfile

from tests.browser.product import until
from tests.faults.outside import Outside, Person, agree, key
from tests.faults.taken import Worker, now_ms


async def live(worker: Worker) -> list[object]:
    """What the server says is live for this worker."""
    await worker.settle()
    beats = [said for said in worker.wire.heard if said["type"] == "recorder.heartbeat"]
    found: list[object] = beats[-1]["live"]
    return found


async def being_prepared(out: Outside, person: Person) -> str:
    """Ask for an export, which is made, but cannot be put down: a file is in the folder's place."""
    folder = out.product.data / "exports"
    folder.rmdir()
    folder.touch()
    asked = {"secret": person.data_secret}
    status, made = await out.post("/api/my-data/exports/start", asked)
    assert status == 200, made
    await until("it is in the middle", lambda: "preparing waits" in out.product.log.read_text())
    assert [row["state"] for row in out.product.rows("select state from export")] == ["waiting"]
    return str(made["export"])


async def is_whole(out: Outside, person: Person, export: str) -> None:
    """Prepared by the next server itself, before its person came by; and theirs to open."""
    state = "select 1 from export where state = 'ready'"
    await until("the export", lambda: out.product.rows(state))
    found = {"secret": person.data_secret, "export": export}
    _, allowed, said = await out.request("POST", "/api/my-data/exports/allow", json=found)
    cookie = f"__Host-export={said.cookies['__Host-export'].value}"
    _, data, _ = await out.request("GET", allowed["url"], cookie=cookie)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert b"Cleo Customer" in archive.read("data.json")


async def test_killed_while_it_records_and_while_consent_is_taken_back(out: Outside) -> None:
    product = out.product
    one, other = await out.call(await out.sign_in("agent"))
    worker = Worker(out)
    await worker.join()
    request = await agree(one, other)
    old = await worker.granted()
    await worker.begin()
    await worker.store(one, other)
    waiting = await being_prepared(out, other)
    await product.stop(signal.SIGKILL)
    (product.data / "exports").unlink()
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
    await is_whole(out, other, waiting)
