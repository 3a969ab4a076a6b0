"""The processes of docker-compose.yml, as their own users and with their own settings: a recorded
call through nginx, signaling, recorder, custody, PostgreSQL and coturn."""

from __future__ import annotations

import asyncio
import datetime
import json
import os
import re
import shutil
import tempfile
import urllib.request
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aioice.ice
import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from avsession import keys
from tests.browser.conftest import chromium
from tests.browser.people import FLAGS, Person, ask, window
from tests.browser.product import until
from tests.support import compose
from tests.support.containers import NAME, Machine

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become the services' users"),
]
PASSWORD = "a long enough password of nobody's"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    """A Chromium that finds the public name on this machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium(),
            args=[*FLAGS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1"],
        )
        yield browser
        await browser.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that every user may walk through."""
    made = Path(tempfile.mkdtemp(dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


def own_address() -> str:
    """An address of this machine that a browser on it reaches."""
    found = aioice.ice.get_host_addresses(use_ipv4=True, use_ipv6=False)
    return found[0] if found else "127.0.0.1"


@pytest_asyncio.fixture(loop_scope="module")
async def machine(place: Path) -> AsyncIterator[Machine]:
    """Everything, started in its order."""
    certificate, key, authority = keys.local_certificate(
        keys.private_folder(place / "tls"), datetime.datetime.now(datetime.UTC)
    )
    (place / "tls").chmod(0o711)
    authority.chmod(0o644)
    made = Machine(
        place,
        {
            "PUBLIC_HOST": NAME,
            "TURN_URLS": '["turn:127.0.0.1:3478?transport=udp"]',
            "TURN_LISTEN": "127.0.0.1",
            "RECORDER_ADDRESS": own_address(),
            "CONTROLLER_NAME": "Example Support Ltd of ours",
            "CONTROLLER_ADDRESS": "2 Example Street",
            "CONTROLLER_CONTACT": "privacy@example.org",
            "CONTROLLER_DPO": "dpo@example.org",
        },
        {"certificate": certificate, "certificate_key": key, "ca": authority},
    )
    made.secrets()
    try:
        await made.up()
        yield made
    finally:
        await made.close()


async def staff(browser: Browser, machine: Machine, role: str) -> Person:
    """A member of staff with a password, signed in at the public address."""
    line = (role, "create", "--login", role, "--name", role.title(), "--password-stdin")
    await machine.run("web", *line, said=f"{PASSWORD}\n")
    person = await window(browser)
    await person.page.goto(f"{machine.url}/signin")
    await person.page.locator("#login").fill(role)
    await person.page.locator("#password").fill(PASSWORD)
    await person.click("Sign in")
    await person.page.wait_for_url(machine.url + {"agent": "/", "admin": "/admin"}[role])
    return person


async def play(admin: Person) -> None:
    row = admin.page.get_by_role("table", name="Recordings").get_by_role("row").nth(1)
    await row.get_by_role("button", name="Play").click()
    await admin.page.get_by_role("textbox", name="Reason").fill("complaint 4711")
    await admin.click("Open recording")
    confirming = admin.dialog("Confirm that it is you")
    player = admin.page.get_by_role("region", name="Player")
    await expect(confirming.or_(player)).to_be_visible()
    if await player.is_visible():
        return
    await confirming.get_by_label("Password").fill(PASSWORD)
    await confirming.get_by_role("button", name="Confirm").click()


async def test_a_recorded_call_through_every_process(browser: Browser, machine: Machine) -> None:
    agent = await staff(browser, machine, "agent")
    await agent.click("New session")
    link = agent.page.get_by_role("textbox", name="Invitation link")
    await expect(link).to_have_value(re.compile(f"^{re.escape(machine.url)}/join#.+"))
    customer = await window(browser)
    await customer.page.goto(await link.input_value())
    await customer.page.get_by_role("textbox", name="Your name").fill("Cleo Customer")
    await customer.click("Join call")
    await agent.click("Join call")
    await customer.until("s.remoteFramesDecoded > 10", 30_000)
    await ask(agent)
    for person in (agent, customer):
        await person.allow()
    for person in (agent, customer):
        await person.recording("Recording")
    await until_recorded(machine)
    legs = ports_of(machine.running["recorder"].pid)
    first, last = machine.services["recorder"]["environment"]["AVSESSION_RECORDER__PORTS"].split(
        "-"
    )
    assert len(legs) >= 2
    assert all(int(first) <= port <= int(last) for port in legs)
    await agent.click("Stop recording")
    await agent.recording("Not recording")

    # custody unwraps against the leaf, in the log as it is
    admin = await staff(browser, machine, "admin")
    await play(admin)
    video = admin.page.get_by_role("region", name="Player").locator("video").first
    await expect(video).to_have_js_property("readyState", 4)
    assert (machine.folder("/custody") / "seen" / "checkpoint").exists()
    assert (await machine.run("web", "audit", "verify")).endswith("The log verifies.\n")
    await what_the_guide_looks_at(machine)
    await who_holds_what(machine)

    # without custody nothing opens, it is said, and the call goes on
    assert await machine.stop("custody") == 0
    await admin.page.reload()
    await play(admin)
    code = (
        await admin.page.get_by_role("region", name="Player")
        .locator("video")
        .first.evaluate(
            "async (video) => (await (await fetch(video.currentSrc || video.src)).json()).code"
        )
    )
    assert code == "custody.unavailable"
    await customer.until("s.remoteFramesDecoded > 10")
    for service in ("recorder", "proxy", "web", "database"):
        assert await machine.stop(service) == 0, machine.log(service)
    await machine.stop("turn")  # coturn has no way of its own to end
    for service in machine.services:
        assert "Traceback" not in machine.log(service), service


async def what_the_guide_looks_at(machine: Machine) -> None:
    """Its commands do in these processes what it says of them."""
    assert "WRONG" not in await machine.run("web", "db", "check")
    looked = await machine.run("web", "doctor")
    assert "ok   database: reachable" in looked
    assert "ok   certificate: TLS is the proxy's" in looked
    assert "ok   turn: relays at" in looked
    await machine.run("web", "backup", "create", "--to", "/tmp/monday")
    await machine.run("web", "backup", "check", "/tmp/monday")
    ready = await asyncio.to_thread(asked, f"http://127.0.0.1:{machine.port['web']}/readyz")
    assert json.loads(ready) == {"ready": True, "problems": [], "warnings": []}
    figures = await asyncio.to_thread(asked, f"http://127.0.0.1:{machine.port['web']}/metrics")
    assert "avsession_recorder_workers 1\n" in figures
    assert "avsession_recorder_taking{" in figures
    assert "avsession_audit_problems 0\n" in figures


def asked(url: str) -> str:
    """What a path answers on the machine itself, with 200."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - ours
        text: str = answer.read().decode()
        return text


async def until_recorded(machine: Machine) -> None:
    """Segments have come out of the recorder's spool into the server's store."""
    objects = machine.folder("/data") / "objects"
    await until("segments of both", lambda: len(list(objects.rglob("*.age"))) >= 6)


async def who_holds_what(machine: Machine) -> None:
    """Owners and modes on the volumes: nothing of custody's is anybody else's."""
    custody = compose.user_of(machine.services["custody"])[0]
    for path in machine.folder("/custody").rglob("*"):
        assert path.lstat().st_uid == custody
        assert path.lstat().st_mode & 0o077 == 0
    for name in ("/data", "/spool", "/run/recorder"):
        for path in machine.folder(name).rglob("*"):
            assert path.lstat().st_uid == compose.user_of(machine.services["web"])[0]
            assert path.lstat().st_mode & 0o077 == 0
    assert not (machine.folder("/data") / "custody").exists()


def ports_of(pid: int) -> set[int]:
    """The UDP ports at which a process can be reached."""
    ours = {
        os.readlink(path).removeprefix("socket:[").removesuffix("]")
        for path in Path(f"/proc/{pid}/fd").iterdir()
        if path.is_symlink() and os.readlink(path).startswith("socket:[")
    }
    found = set()
    for table in ("udp", "udp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            connected = set(fields[2]) - {"0", ":"}  # to TURN: nobody reaches us there
            if fields[9] in ours and not connected:
                found.add(int(fields[1].rsplit(":", 1)[1], 16))
    return found
