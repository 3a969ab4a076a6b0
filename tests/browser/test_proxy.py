"""Behind a real nginx with the configuration of PROXY.md: below a path, TLS at the proxy, a whole
recorded call, and nobody but the proxy believed."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from avsession import keys
from tests.browser.people import ask, new_call, staff
from tests.browser.product import Product, until
from tests.support.ports import free_port

pytestmark = [
    pytest.mark.timeout(180),
    pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx"),
]
DOCUMENT = Path(__file__).parents[2] / "web" / "PROXY.md"


def configuration(folder: Path, port: int, upstream: int) -> str:
    """The document's own, with this place's ports and files; everything written lies here."""
    block = re.search(r"```nginx\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    assert block is not None
    said = block[1]
    for old, new in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("127.0.0.1:8443", f"127.0.0.1:{upstream}"),
        ("www.example.com", "localhost"),
        ("/etc/nginx/fullchain.pem", str(folder / "server.pem")),
        ("/etc/nginx/key.pem", str(folder / "server.key")),
    ):
        assert old in said
        said = said.replace(old, new)
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error info;\n"
        f"events {{}}\nhttp {{\n{places}access_log {folder}/access;\n{said}}}\n"
    )


@asynccontextmanager
async def nginx(port: int, upstream: int) -> AsyncIterator[None]:
    """A proxy of our own, ended by its own process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # its workers are another user
        keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
        file = folder / "nginx.conf"
        file.write_text(configuration(folder, port, upstream))
        process = await asyncio.create_subprocess_exec(
            *("nginx", "-c", str(file), "-p", str(folder), "-e", str(folder / "error"))
        )
        try:

            def listens() -> bool:
                assert process.returncode is None, (folder / "error").read_text()
                with socket.socket() as probe:
                    return probe.connect_ex(("127.0.0.1", port)) == 0

            await until("nginx listens", listens)
            yield
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def raw(port: int, source: str, *lines: str) -> str:
    """The first line of what is answered to a request from ``source``; "" when it is cut."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, local_addr=(source, 0), limit=1 << 20
    )
    try:
        head = ("GET /calls/signin HTTP/1.1", "Connection: close", *lines)
        writer.write("".join(f"{line}\r\n" for line in (*head, "")).encode())
        return (await reader.readline()).decode().strip()
    finally:
        writer.transport.abort()


async def test_a_recorded_call_through_nginx(browser: Browser, tmp_path: Path) -> None:
    port, upstream = free_port(), free_port()
    product = Product(
        tmp_path,
        public_url=f"https://localhost:{port}/calls",
        proxy__trusted='["127.0.0.1"]',
        proxy__plain="true",
        log_level="DEBUG",
        log_json="true",
    )
    product.port = upstream
    await product.start()
    try:
        async with nginx(port, upstream):
            await everything_works(browser, product, port)
            await nobody_else_is_believed(port, upstream)
        one_id_and_nobody(product)
    finally:
        await product.stop()


def one_id_and_nobody(product: Product) -> None:
    """The log of the whole call: one identifier in server, signaling and recorder, and nothing of a
    person, an address or a secret."""
    lines = [json.loads(line) for line in product.log.read_text().splitlines()]
    (session,) = product.rows("select id from session")
    rooms = {one["logger"].split(".")[0] for one in lines if one.get("session") == session["id"]}
    assert {"recorder", "signaling"} <= rooms
    assert {one.get("session") for one in lines} == {session["id"], None}
    text = product.log.read_text()
    assert "exception" not in {key for one in lines for key in one}
    secrets = [link.partition("#")[2] for link in product.links.values() if "#" in link]
    own = ("Cleo", "203.0.113.9", "127.0.0.1", "::1", "through the proxy")
    assert [one for one in (*secrets, *own) if one in text] == []


async def everything_works(browser: Browser, product: Product, port: int) -> None:
    assert product.url == f"https://localhost:{port}/calls"
    agent, customer = await new_call(browser, product)
    outside: list[str] = []
    for person in (agent, customer):
        person.page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((f"{product.url}/", "data:", "blob:"))
                else outside.append(request.url)
            ),
        )
        person.page.on("response", lambda r: outside.append(r.url) if r.status == 404 else None)
    await ask(agent)
    for person in (agent, customer):
        await person.allow()
    for person in (agent, customer):
        await person.recording("Recording")
    await until("segments", lambda: len(product.segments()) >= 4)
    await agent.click("Stop recording")
    for person in (agent, customer):
        await person.recording("Not recording")
    await agent.click("End call")
    admin = await staff(browser, product, "admin")
    row = admin.page.get_by_role("table", name="Recordings").get_by_role("row").nth(1)
    await row.get_by_role("button", name="Play").click()
    await admin.page.get_by_role("textbox", name="Reason").fill("through the proxy")
    await admin.click("Open recording")
    player = admin.page.get_by_role("region", name="Player")
    await expect(player.locator("video")).to_have_count(2)
    for n in range(2):
        video = player.locator("video").nth(n)
        await expect(video).to_have_js_property("readyState", 4)
        assert str(await video.get_attribute("src")).startswith("/calls/api/")
    for link, title in (("Audit log", "log"), ("Disclosures", "disclosures")):
        await admin.page.get_by_role("link", name=link, exact=True).click()
        await admin.page.wait_for_url(f"{product.url}/admin/{title}")
        await admin.page.get_by_role("link", name="Review").click()
        await admin.page.wait_for_url(f"{product.url}/admin")
    await admin.page.get_by_role("link", name="Privacy", exact=True).click()
    await admin.page.wait_for_url(f"{product.url}/privacy")
    assert outside == []


async def nobody_else_is_believed(port: int, upstream: int) -> None:
    host, tls = f"Host: localhost:{port}", "X-Forwarded-Proto: https"
    by_proxy = await raw(upstream, "127.0.0.1", host, tls, "X-Forwarded-For: 203.0.113.9")
    assert by_proxy == "HTTP/1.1 200 OK"
    # this machine, but no proxy: it may not say that it came by TLS
    assert await raw(upstream, "127.0.0.2", host, tls) == "HTTP/1.1 403 Forbidden"
    assert await raw(upstream, "127.0.0.1", host) == "HTTP/1.1 403 Forbidden"
    spoofed = "X-Forwarded-Proto: http"
    assert await raw(upstream, "127.0.0.1", host, spoofed) == "HTTP/1.1 308 Permanent Redirect"
