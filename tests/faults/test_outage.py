"""PostgreSQL crashes while a recording runs: what is taken back then is, at once and for good."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.browser.product import until
from tests.faults.outside import Person, agree, key, outside
from tests.faults.taken import Worker
from tests.support.postgres import Cluster
from tests.support.served import Served


@pytest_asyncio.fixture
async def product(tmp_path: Path) -> AsyncIterator[Served]:
    """The product on a PostgreSQL of its own, to stop."""
    cluster = Cluster()
    try:
        cluster.start()
        made = Served(tmp_path, cluster, "postgres")
        await made.start()
        yield made
        await made.stop(signal.SIGKILL)
    finally:
        cluster.remove()


async def live(worker: Worker) -> list[object]:
    """What the server says is live for this worker."""
    after = len(worker.wire.heard)
    await worker.wire.say("worker.heartbeat", sent=1.0)
    found: list[object] = (await worker.wire.hear("recorder.heartbeat", after=after))["live"]
    return found


async def told(person: Person) -> tuple[str, str]:
    """State and reason of recording, as it was said to them last."""
    await person.wire.settle()
    said = [one["recording"] for one in person.wire.heard if one["type"] == "recording.state"][-1]
    return said["state"], said["reason"]


def kinds(product: Served) -> list[str]:
    """What was said about consent, in order."""
    return [row["kind"] for row in product.rows("select kind from consent_event order by leaf")]


async def holds(product: Served) -> None:
    """Log and recordings verify, once the last end is under a signed head."""
    ends = "('recording.sealed', 'recording.interrupted', 'recording.erased')"
    last = product.rows(f"select max(number) as n from leaf where kind in {ends}")[0]["n"]  # noqa: S608
    assert last is not None
    await until(
        "a head over it", lambda: product.rows("select 1 from checkpoint where size > ?", last)
    )
    for command in (("audit", "verify"), ("recording", "verify", "--all")):
        status, said = await product.says(*command)
        assert status == 0, said


@pytest.mark.parametrize("again", [True, False], ids=["said-again", "page-gone"])
async def test_a_withdrawal_while_the_database_is_gone(product: Served, *, again: bool) -> None:
    async with outside(product) as out:
        agent, customer = await out.call(await out.sign_in("agent"))
        worker = Worker(out)
        await worker.join()
        request = await agree(agent, customer)
        await worker.granted()
        await worker.begin()
        await worker.store(agent, customer)
        product.cluster.stop(signal.SIGQUIT)
        # the call goes on, and so does the recording until there is something to write
        assert len(await live(worker)) == 1
        assert (await told(agent))[0] == "on"
        taken_back = {"request": request, "key": key()}
        refused = await customer.wire.ask("consent.withdraw", **taken_back)
        assert (refused["type"], refused["code"]) == ("error", "database.unavailable")
        # it was carried out, and nobody was told that it is written down
        assert await live(worker) == []
        closed = await worker.wire.hear("recorder.close")
        assert (closed["reason"], closed["final"]) == ("withdrawn", True)
        for person in (agent, customer):
            assert await told(person) == ("off", "withdrawn")
        # what opens is refused, and not pretended
        asked = await agent.wire.ask("recording.request", purposes=["quality"])
        assert (asked["type"], asked["code"]) == ("error", "database.unavailable")
        # a recorder that goes on all the same is not believed
        late = worker.sealed(customer)
        assert (await worker.line(late))["code"] == "database.unavailable"
        if not again:
            await customer.wire.close()
        product.cluster.start()
        if again:
            after = len(customer.wire.heard)
            await customer.wire.say("consent.withdraw", **taken_back)
            said = await customer.wire.hear("ack", "error", after=after, key=taken_back["key"])
            assert said["type"] == "ack", said
            assert "withdrawn" in kinds(product), "what is acknowledged is written down"
        await until("it is written down", lambda: "withdrawn" in kinds(product))
        assert kinds(product) == ["requested", "given", "given", "withdrawn"]
        assert await live(worker) == []
        refused = await worker.line(late)
        assert (refused["type"], refused["code"]) == ("recorder.refused", "segment.refused")
        assert not worker.spooled(late.track, late.index).exists()
        if not again:
            await customer.join()
        kept = await customer.wire.ask("consent.fate", request=request, fate="keep")
        assert kept["type"] == "ack", kept
        assert (await worker.end())["type"] == "recorder.accepted"
        await holds(product)


async def test_the_server_is_killed_before_the_database_is_back(product: Served) -> None:
    async with outside(product) as out:
        agent, customer = await out.call(await out.sign_in("agent"))
        worker = Worker(out)
        await worker.join()
        request = await agree(agent, customer)
        await worker.granted()
        product.cluster.stop(signal.SIGQUIT)
        refused = await customer.wire.ask("consent.withdraw", request=request, key=key())
        assert (refused["type"], refused["code"]) == ("error", "database.unavailable")
        await product.stop(signal.SIGKILL)
    (kept,) = (product.data / "unwritten").iterdir()
    assert kept.stat().st_mode & 0o777 == 0o600
    product.cluster.start()
    await product.start()
    # by the time that it says ready
    assert kinds(product) == ["requested", "given", "given", "withdrawn"]
    assert not kept.exists()
