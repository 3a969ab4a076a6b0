"""One story of evidence: consent, its receipt, its withdrawal, what is left, and a forger found.

Nothing is asked of the product but what its people have: pages, files, and the ``avsession``
command.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pyrage
from playwright.async_api import Browser, Page, expect

from avsession.audit import receipt
from tests.browser.people import Person, new_call, staff, window
from tests.browser.product import Product, until
from tests.browser.story import record

COMMAND_S = 120.0


async def avsession(*arguments: str) -> tuple[int, str]:
    """The command as a person runs it: exit status, and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "avsession", *arguments,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    async with asyncio.timeout(COMMAND_S):
        printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


async def log_key(person: Person, product: Product) -> str:
    """The log's public key, as it is published."""
    answer = await person.context.request.get(f"{product.url}/log/key")
    assert answer.ok
    found: str = (await answer.text()).strip()
    return found


def identities(product: Product) -> list[Any]:
    """Every age identity in the data folder: in plain text, or wrapped to one that is."""
    found: list[Any] = []
    media = set(product.segments())
    files = []
    for path in product.files("."):
        if path not in media:
            with contextlib.suppress(FileNotFoundError):  # a spool's file may go meanwhile
                files.append(path.read_bytes())
    for data in files:
        found += [word for word in data.split() if word.startswith(b"AGE-SECRET-KEY-1")]
    plain = [pyrage.x25519.Identity.from_str(word.decode()) for word in found]
    for data in files:
        with contextlib.suppress(pyrage.DecryptError):
            key = json.loads(pyrage.decrypt(data, plain))
            plain.append(pyrage.x25519.Identity.from_str(key["identity"]))
    return plain


def opened(sealed: list[bytes], keys: list[Any]) -> int:
    """How many of the segments any of the keys opens."""
    count = 0
    for one in sealed:
        with contextlib.suppress(pyrage.DecryptError):
            pyrage.decrypt(one, keys)
            count += 1
    return count


async def saved(page: Page, button: Any, path: Path) -> Path:
    """Press a button that saves a file; the file."""
    async with page.expect_download() as waiting:
        await button.click()
    await (await waiting.value).save_as(path)
    return path


async def proves(person: Person, product: Product, path: Path, key: str, kind: str) -> None:
    """The file is a receipt of that kind, for the command and for the page."""
    assert receipt.read(path.read_bytes()).kind == kind
    status, printed = await avsession("receipt", "verify", str(path), "--key", key)
    assert status == 0, printed
    assert printed.endswith("The receipt holds.\n")
    await person.page.goto(f"{product.url}/receipt")
    await person.page.get_by_label("Receipt file").set_input_files(path)
    await person.page.get_by_label("The log’s public key").fill(key)
    await person.click("Check receipt")
    await expect(person.page.get_by_text("The receipt holds.", exact=True)).to_be_visible()


def certificate_of(page: Page) -> Any:
    """The row of the one destruction on a page."""
    return page.get_by_role("group", name="Deletion certificate", exact=True)


async def test_the_story_of_a_consent(browser: Browser, product: Product, tmp_path: Path) -> None:
    data = ("--data", str(product.data))
    agent, customer = await new_call(browser, product)
    reader = await window(browser)
    key = await log_key(reader, product)

    # allowed, and proven at once
    await record(agent, customer, product, 3)
    given = await saved(
        customer.page, customer.button("Save receipt").first, tmp_path / "given.html"
    )
    await proves(reader, product, given, key, "given")
    (recording,) = product.rows("select id from recording")
    status, printed = await avsession("recording", "verify", recording["id"], "--json", *data)
    assert status == 0, printed
    (proven,) = json.loads(printed)["recordings"]
    assert (proven["ok"], proven["findings"], proven["erased"]) == (True, [], False)
    assert proven["segments"] > 6
    sealed = [path.read_bytes() for path in product.files("objects") if path.suffix == ".age"]
    assert sealed
    assert opened(sealed, identities(product)) == len(sealed), "so far the custodian can"
    recipients = {row["recipient"] for row in product.rows("select recipient from track")}
    assert len(recipients) == 2

    # withdrawn, destroyed, and that is proven, too
    await customer.withdraw("Destroy recording")
    await until("destroyed", lambda: product.rows("select 1 from certificate where done_ms > 0"))
    await agent.click("End call")
    row = certificate_of(customer.page)
    erased = await saved(
        customer.page,
        row.get_by_role("button", name="Save receipt", exact=True),
        tmp_path / "erased.html",
    )
    await proves(reader, product, erased, key, "erased")
    await row.get_by_role("button", name="Deletion certificate").click()
    dialog = customer.dialog("Deletion certificate")
    await expect(dialog.get_by_text("Keys destroyed")).to_be_visible()
    await saved(
        customer.page,
        dialog.get_by_role("button", name="Save as a file"),
        tmp_path / "certificate.json",
    )
    await dialog.get_by_role("button", name="Close").click()
    private = await customer.page.get_by_role("textbox", name="Private link").input_value()
    later = await window(browser)
    await later.page.goto(private)
    again = await saved(
        later.page,
        certificate_of(later.page).get_by_role("button", name="Save receipt", exact=True),
        tmp_path / "again.html",
    )
    await proves(reader, product, again, key, "erased")
    said: Any = receipt.read(again.read_bytes()).document
    assert said == receipt.read(erased.read_bytes()).document
    assert {track["recipient"] for track in said["what"]["tracks"]} == recipients

    # what the admin sees
    admin = await staff(browser, product, "admin")
    await admin.page.locator("#recordings button.link").first.click()
    story = admin.page.get_by_role("region", name="Story of a session")
    await story.get_by_role("button", name="Deletion certificate").click()
    told = admin.dialog("Deletion certificate")
    await expect(told.get_by_text("consent was withdrawn")).to_be_visible()
    await told.get_by_role("button", name="Close").click()
    await admin.click("Timeline")
    await expect(
        admin.page.get_by_text("The recording was destroyed, and nothing of it is left")
    ).to_be_visible()
    facts = admin.page.get_by_role("table", name="Timeline")
    for fact in ("present", "consented", "withdrawn"):
        await expect(facts.get_by_text(fact).first).to_be_visible()

    # what is left of it: nothing, and nothing opens it
    assert product.segments() == []
    assert product.files("custody/tracks") == []
    assert opened(sealed, identities(product)) == 0
    status, printed = await avsession("recording", "verify", recording["id"], "--json", *data)
    assert status == 0, printed
    (proven,) = json.loads(printed)["recordings"]
    assert (proven["ok"], proven["erased"], proven["segments"]) == (True, True, 0)

    # the log verifies; then somebody changes one row behind its back
    await product.stop()
    status, printed = await avsession("audit", "verify", *data)
    assert status == 0, printed
    (row,) = product.rows("select id from consent_event where kind = 'withdrawn'")
    with contextlib.closing(sqlite3.connect(product.data / "avsession.sqlite3")) as database:
        changed = database.execute(
            "update consent_event set at_ms = at_ms - 1000 where id = ?", [row["id"]]
        )
        assert changed.rowcount == 1
        database.commit()
    status, printed = await avsession("audit", "verify", *data)
    assert status == 1
    assert row["id"] in printed
    assert "The log does NOT verify." in printed
    # and what the parties took home needs none of it
    status, _ = await avsession("receipt", "verify", str(given), "--key", key)
    assert status == 0
