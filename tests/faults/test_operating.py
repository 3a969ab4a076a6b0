"""The process as its operator sees it: ready, asked for a new certificate, told to stop."""

from __future__ import annotations

import asyncio
import datetime
import json
import shutil
import signal
import ssl
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect
from websockets.typing import Origin, Subprotocol

from avsession import keys
from avsession.privacy import stored
from tests.browser.product import Product

pytestmark = pytest.mark.timeout(90)


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


class Site:
    """The running product, asked over HTTP."""

    def __init__(self, product: Product, client: aiohttp.ClientSession) -> None:
        self.product, self.client = product, client
        self.cookie = ""

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        url = self.product.url
        headers = {"Origin": url, "X-Avsession": "1"} if body is not None else {}
        if self.cookie:
            headers["Cookie"] = self.cookie
        method = "GET" if body is None else "POST"
        async with self.client.request(method, url + path, json=body, headers=headers) as answer:
            if stored.STAFF in answer.cookies:
                self.cookie = f"{stored.STAFF}={answer.cookies[stored.STAFF].value}"
            return answer.status, await answer.json()

    async def until(self, path: str, status: int) -> Any:
        """Ask until the answer has this status; what it says."""
        async with asyncio.timeout(30):
            while True:
                got, said = await self.ask(path)
                if got == status:
                    return said
                await asyncio.sleep(0.05)


async def certificate_of(port: int) -> bytes:
    _, writer = await asyncio.open_connection("localhost", port, ssl=trusting())
    shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.transport.abort()
    return shown


async def test_ready_renewed_drained(tmp_path: Path) -> None:
    certificates = tmp_path / "tls"
    certificates.mkdir(mode=0o700)
    now = datetime.datetime.now(datetime.UTC)
    chain, key, _ = keys.local_certificate(certificates, now)
    product = Product(
        tmp_path,
        certificate=str(chain),
        certificate_key=str(key),
        drain_s="600",
        recorders="0",
        recorder_min_free_mb="0",  # memory may be all the disk there is
    )
    await product.start()
    connector = aiohttp.TCPConnector(ssl=trusting())
    try:
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar()
        ) as client:
            site = Site(product, client)
            ready = await site.until("/readyz", 200)
            assert ready == {"ready": True, "problems": [], "warnings": []}
            secret = product.links["agent"].partition("#")[2]
            assert (await site.ask("/api/sign-in/link", {"secret": secret}))[0] == 200
            _, made = await site.ask("/api/sessions", {"language": "en"})
            _, ticket = await site.ask(f"/api/sessions/{made['session']}/ticket", {})
            async with connect(
                ticket["url"],
                ssl=trusting(),
                origin=Origin(product.url),
                subprotocols=[Subprotocol(ticket["subprotocol"])],
            ) as page:
                hello = {"type": "hello", "ticket": ticket["ticket"], "build": "test"}
                await page.send(json.dumps(hello))
                assert json.loads(await page.recv())["type"] == "welcome"

                async def hear(kind: str) -> None:
                    async with asyncio.timeout(20):
                        async for text in page:
                            if json.loads(text)["type"] == kind:
                                return

                # a bad file, then a good one: SIGHUP says look now
                before = await certificate_of(product.port)
                good = chain.read_bytes()
                chain.write_text("torn")
                product.signal(signal.SIGHUP)
                await until_warned(site, ["certificate"])
                assert await certificate_of(product.port) == before
                other = tmp_path / "other"
                other.mkdir(mode=0o700)
                for made_file in keys.local_certificate(other, now)[:2]:
                    shutil.copy(made_file, certificates / made_file.name)
                product.signal(signal.SIGHUP)
                await until_warned(site, [])
                after = await certificate_of(product.port)
                assert after != before
                assert good != chain.read_bytes()
                await page.send('{"type": "ping"}')
                await hear("pong")

                # told to stop: the call goes on, new ones do not begin
                product.signal(signal.SIGTERM)
                await hear("server.stops")
                said = await site.until("/readyz", 503)
                assert said == {"ready": False, "problems": ["draining"], "warnings": []}
                status, refused = await site.ask("/api/sessions", {"language": "en"})
                assert (status, refused["code"]) == (503, "server.stopping")
                assert (await site.ask("/healthz"))[0] == 200
                await page.send('{"type": "leave"}')
                await hear("session.ended")
        assert await product.ended() == 0
        assert "Traceback" not in product.log.read_text()
    finally:
        await product.stop()


async def until_warned(site: Site, warnings: list[str]) -> None:
    async with asyncio.timeout(20):
        while True:
            if (await site.ask("/readyz"))[1]["warnings"] == warnings:
                return
            await asyncio.sleep(0.05)
