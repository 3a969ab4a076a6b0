"""What the log tells whoever reads it later: neither who asked, nor what they sent."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from avsession import logs
from tests.browser.product import Product, until
from tests.faults.outside import Outside, agree, outside
from tests.faults.taken import Worker, now_ms
from tests.support.custody import custodian

LINE = re.compile(r"\d\d:\d\d:\d\d [A-Z]+ +[a-z.]+: [ -~]*")
SECRET = b"a-cookie-that-somebody-sent-amiss"


async def test_malformed_requests_are_not_quoted(out: Outside) -> None:
    host = b"Host: localhost:%d\r\n" % out.product.port
    cookie = b"Cookie: __Host-staff=%s\r\n" % SECRET
    for request in (
        b"GET /join HTTP/1.1\r\n" + host + cookie + b"Bad Header: x\r\n\r\n",
        b"GET /join HTTP/1.1\r\n" + host + b"Cookie: __Host-staff=\x01%s\r\n\r\n" % SECRET,
        b"GET /join HTTP/1.1\r\n" + host + host + cookie + b"\r\n",
        b"GET /join HTTP/1.1\r\n" + host + b"\r\nX%s\r\n\r\n" % SECRET,
        b"POST /api/join HTTP/1.1\r\n" + host + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\n",
    ):
        reader, writer = await out.raw()
        writer.write(request)
        assert b" 400 Bad Request\r\n" in await reader.read()
    # and somebody who leaves in the middle of a body
    _, writer = await out.raw()
    ours = b"Origin: https://localhost:%d\r\nX-Avsession: 1\r\n" % out.product.port
    form = b"Content-Type: application/json\r\nContent-Length: 99\r\nExpect: 100-continue\r\n\r\n"
    writer.write(b"POST /api/join HTTP/1.1\r\n" + host + ours + form)
    await writer.drain()
    writer.transport.abort()
    await out.product.stop()
    said = out.product.log.read_text()
    assert SECRET.decode() not in said
    for address in ("127.0.0.1", "::1"):
        assert address not in said
    assert [line for line in said.splitlines() if not LINE.fullmatch(line)] == []


async def test_nobody_writes_lines_of_their_own(out: Outside) -> None:
    agent, customer = await out.call(await out.sign_in("agent"))
    worker = Worker(out)
    await worker.join()
    await agree(agent, customer)
    grant = await worker.granted()
    forged = "x\r\n00:00:00 INFO    avsession.serve: \x1b[31mall is well\u2028"
    await customer.wire.say(
        "leg.failed", recording=grant.recording, generation=grant.generation, reason=forged
    )
    await customer.wire.settle()
    await worker.wire.say(
        "worker.leg.state",
        recording=grant.recording,
        generation=grant.generation,
        party=customer.id,
        state="connected",
        reason=forged,
    )
    await worker.wire.say(
        "worker.grant_refused",
        recording=grant.recording,
        generation=grant.generation,
        code="storage.full",
    )
    await worker.settle()
    await worker.wire.close()  # or the server would wait for its last entries
    await out.product.stop()
    (row,) = out.product.rows("select max(size) - (select count(*) from leaf) as n from checkpoint")
    assert row["n"] == 0, "the last thing that it did is sign the last head"
    lines = out.product.log.read_text().split("\n")[:-1]
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert [line for line in lines if line.startswith("00:00:00")] == []
    named = [line for line in lines if f"recording={grant.recording}" in line]
    assert any("grant refused by the recorder: storage.full" in line for line in named)
    assert [line for line in named if f"session={agent.session}" not in line] == []


async def test_no_names_at_the_most_talkative_level(tmp_path: Path) -> None:
    product = Product(tmp_path, recorders="0", log_level="DEBUG")
    await product.start()
    async with outside(product) as out:
        agent, customer = await out.call(await out.sign_in("agent"))
        ticket = await customer.ticket()
        await agree(agent, customer)
    await product.stop()
    said = product.log.read_text()
    for private in ("Cleo", ticket, customer.data_secret, customer.cookie.partition("=")[2]):
        assert private not in said


async def test_one_identifier_leads_through_server_recorder_and_custody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Three processes of which each has a log; custody's is here."""
    caplog.set_level("INFO", logger="avsession.custody")

    def held(what: str) -> list[dict[str, str]]:
        lines = [one for one in caplog.records if one.name == "avsession.custody"]
        return [logs.fields(one) for one in lines if one.message == what]

    def destroyed() -> list[dict[str, str]]:
        """Not what the server asks for to see whether custody answers."""
        made = {one["track"] for one in held("made")}
        return [one for one in held("destroyed") if one["track"] in made]

    async with custodian(tmp_path / "custody", now_ms) as socket:
        settings = {"custody__socket": str(socket), "log_json": "true", "recorders": "1"}
        product = Product(tmp_path, **settings)
        await product.start()
        async with outside(product) as out:
            agent, customer = await out.call(await out.sign_in("agent"))
            request = await agree(agent, customer)
            offer = await customer.wire.hear("leg.offer")
            about = {"recording": offer["recording"], "generation": offer["generation"]}
            await customer.wire.say("leg.failed", **about, reason="unreachable")
            said = await customer.wire.ask("consent.withdraw", request=request)
            assert said["type"] == "ack", said
            said = await customer.wire.ask("consent.fate", request=request, fate="destroy")
            assert said["type"] == "ack", said
            await until("the keys are gone", lambda: len(destroyed()) == 2)
        await product.stop()
    told = [json.loads(line) for line in product.log.read_text().splitlines()]
    named = [line for line in told if line.get("recording") == offer["recording"]]
    assert {"recorder.capture", "avsession.capture"} <= {line["logger"] for line in named}
    for line in [*named, *held("made"), *destroyed()]:
        assert line.get("session") == agent.session, line
    assert {line.get("recording") for line in held("made")} == {offer["recording"]}
