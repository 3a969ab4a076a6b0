"""Two servers on one PostgreSQL database: one serves, the other waits and takes over."""

from __future__ import annotations

import asyncio
import copy
import datetime
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from avsession import keys
from avsession.storage.postgresql import SERVER_LOCK, WRITE_LOCK
from avsession.storage.sql import OUTRUN
from tests.faults.outside import ask_of, key, outside
from tests.faults.taken import Worker
from tests.support import postgres, proxied
from tests.support.ports import free_port
from tests.support.served import Served

pytestmark = pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx")

PROXIED = {"proxy__plain": "true", "proxy__trusted": '["127.0.0.1"]'}


@pytest_asyncio.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[Served, Served, int]]:
    """Two servers behind a proxy that share a database and a data folder; neither runs yet. The
    proxy's port."""
    cluster, database = postgres.cluster(), postgres.databases().take()
    port = free_port()
    settings = PROXIED | {"public_url": f"https://localhost:{port}", "standby": "true"}
    both = [Served(tmp_path / name, cluster, database, **settings) for name in ("one", "two")]
    for each in both:
        each.data, each.port = tmp_path / "data", free_port()
    folder = keys.private_folder(keys.private_folder(tmp_path / "data") / "keys")
    keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
    try:
        yield both[0], both[1], port
    finally:
        for each in both:
            await each.stop(signal.SIGKILL)
        postgres.databases().give(database)


async def asked(server: Served, path: str) -> tuple[int, Any, str]:
    """What a server itself answers on its port: status, body, when to come again."""
    async with aiohttp.ClientSession() as web:
        url, headers = f"http://127.0.0.1:{server.port}{path}", {"X-Forwarded-Proto": "https"}
        async with web.get(url, headers=headers) as answer:
            is_json = "json" in answer.content_type
            body = await answer.json(content_type=None) if is_json else await answer.text()
            return answer.status, body, answer.headers.get("Retry-After", "")


async def stands_by(server: Served) -> None:
    """Wait until it answers that it waits, and look at everything that it says."""
    await server.logged("this one stands by")

    async def listens() -> None:
        while True:
            try:
                return (await asyncio.open_connection("127.0.0.1", server.port))[1].close()
            except OSError:
                await asyncio.sleep(0.05)

    await asyncio.wait_for(listens(), 20)
    assert await asked(server, "/healthz") == (200, {"status": "ok"}, "")
    said = {"ready": False, "problems": ["standby"], "warnings": []}
    assert await asked(server, "/readyz") == (503, said, "1")
    status, problem, retry = await asked(server, "/api/about")
    assert (status, problem["code"], retry) == (503, "server.standby", "1")
    status, text, retry = await asked(server, "/join")
    assert (status, retry) == (503, "1")
    assert text.startswith("This server waits to take over from another one.")
    for path in ("signaling", "recorder"):
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"ws://127.0.0.1:{server.port}/{path}", proxy=None)
        assert refused.value.response.status_code == 503


def at_proxy(server: Served, port: int) -> Served:
    """The product as people reach it, whichever server it is."""
    found = copy.copy(server)
    found.port = port
    return found


def kinds(server: Served) -> list[str]:
    """What was said about consent, in order."""
    return [row["kind"] for row in server.rows("select kind from consent_event order by leaf")]


async def holds(server: Served) -> None:
    """One log, without a gap or a fork, and every recording inside consent."""
    numbers = [row["number"] for row in server.rows("select number from leaf order by number")]
    assert numbers == list(range(len(numbers)))
    for command in (("audit", "verify"), ("recording", "verify", "--all")):
        status, said = await server.says(*command)
        assert status == 0, said


async def cut(server: Served) -> None:
    """The database forgets the server's claim, and whatever it is just writing."""

    async def end(connection: asyncpg.Connection) -> None:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' "
            "AND objid::bigint = ANY($1) AND database = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())",
            [SERVER_LOCK, WRITE_LOCK],
        )

    server.cluster.run(end, server.database)


async def test_one_after_the_other_and_nothing_is_lost(
    pair: tuple[Served, Served, int], tmp_path: Path
) -> None:
    """The first is killed with a consent under way, the second hangs while it records."""
    one, two, port = pair
    await one.start()
    await two.launch()
    await stands_by(two)
    config = proxied.for_two(port, one.port, two.port, one.data / "keys")
    async with proxied.proxy(tmp_path / "nginx", port, config), outside(at_proxy(one, port)) as out:
        agent, customer = await out.call(await out.sign_in("agent"))
        await agent.wire.ask("recording.request", purposes=["quality"])
        request, notice = ask_of(await customer.wire.hear("recording.asked"))
        text = {"request": request, "notice": notice, "language": "en", "purposes": ["quality"]}
        assert (await agent.wire.ask("consent.give", **text))["type"] == "ack"
        words = text | {"key": key()}
        await customer.wire.say("consent.give", **words)
        await one.stop(signal.SIGKILL)
        await two.ready()
        await one.launch()  # now it is the one that waits
        worker = Worker(out)
        await worker.join()
        await agent.join()
        await customer.join()
        assert (await customer.wire.ask("consent.give", **words))["type"] == "ack"
        assert kinds(two) == ["requested", "given", "given"]
        old = await worker.granted()
        await worker.begin()
        await worker.store(agent, customer)
        await stands_by(one)
        # it hangs, and the database gives it up
        two.signal(signal.SIGSTOP)
        await cut(two)
        await one.ready()
        assert {row["presence"] for row in one.rows("select presence from party")} == {"unknown"}
        assert None not in {row["closed_ms"] for row in one.rows("select * from capture_grant")}
        # it has this as soon as it goes on, on connections to the database that still stand
        leaves = one.rows("select count(*) as n from leaf")
        await customer.wire.say("recording.pause", request=request, key=key())
        two.signal(signal.SIGCONT)
        assert await two.ended() == 1
        assert OUTRUN in two.log.read_text()
        assert kinds(one) == ["requested", "given", "given"]
        assert one.rows("select count(*) as n from leaf") == leaves
        # the pages come back to the other one, and the recording goes on
        await worker.join(old.recording)
        after = len(worker.wire.heard)
        await agent.join()
        await customer.join()
        new = await worker.granted(after)
        assert (new.recording, new.request) == (old.recording, request)
        assert new.generation > old.generation
        await worker.begin()
        await worker.store(agent, customer)
        taken_back = {"request": request, "key": key()}
        assert (await customer.wire.ask("consent.withdraw", **taken_back))["type"] == "ack"
        kept = await customer.wire.ask("consent.fate", request=request, fate="keep")
        assert kept["type"] == "ack"
        assert (await worker.end())["type"] == "recorder.accepted"
    assert kinds(one) == ["requested", "given", "given", "withdrawn"]
    assert one.rows("select number from serving") == [{"number": 3}]
    await holds(one)
