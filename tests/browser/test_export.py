"""A person takes everything of theirs along, and an authority gets a package only it can open."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import sqlite3
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pyrage
from playwright.async_api import Browser, Page, expect

from avsession.__main__ import run
from tests.browser.people import PHONE, Person, new_call, staff, window
from tests.browser.plain import MOST, WINDOW, where_in_plain
from tests.browser.product import Product, until
from tests.browser.story import record
from tests.browser.watch import Watch


async def interrupted(page: Page, url: str, etag: str) -> dict[str, Any]:
    """Download in the page, break off in the middle, take it up with Range; what came of it."""
    found: dict[str, Any] = await page.evaluate(
        """async ([url, etag]) => {
            const stop = new AbortController();
            const first = await fetch(url, { signal: stop.signal });
            const half = Math.floor(Number(first.headers.get('Content-Length')) / 2);
            const parts = [];
            let have = 0;
            const reader = first.body.getReader();
            while (have < half) {
                const { value } = await reader.read();
                parts.push(value.subarray(0, half - have));
                have += parts.at(-1).length;
            }
            stop.abort();
            const headers = { Range: `bytes=${have}-`, 'If-Range': etag };
            const rest = await fetch(url, { headers });
            parts.push(new Uint8Array(await rest.arrayBuffer()));
            const whole = new Uint8Array(await new Blob(parts).arrayBuffer());
            const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
            return {
                had: have,
                status: rest.status,
                range: rest.headers.get('Content-Range'),
                sha256: [...digest].map((b) => b.toString(16).padStart(2, '0')).join(''),
            };
        }""",
        [url, etag],
    )
    return found


async def saved(person: Person, name: str | re.Pattern[str], role: Any = "button") -> Any:
    """Click what downloads; the download."""
    async with person.page.expect_download() as waiting:
        await person.page.get_by_role(role, name=name).click()
    return await waiting.value


def streams(path: Path) -> tuple[set[str], float]:
    """Codecs and duration as ffprobe finds them, and every packet read."""
    said = subprocess.run(
        ["ffprobe", "-v", "error", "-count_packets", "-show_entries",
         "stream=codec_name,nb_read_packets:format=duration", "-of", "json", str(path)],
        check=True, capture_output=True,
    )  # fmt: skip
    assert said.stderr == b""
    found = json.loads(said.stdout)
    assert all(int(one["nb_read_packets"]) > 0 for one in found["streams"])
    return {one["codec_name"] for one in found["streams"]}, float(found["format"]["duration"])


def windows(media: bytes) -> list[bytes]:
    """Parts of a track to look for where none may be."""
    step = max(WINDOW * 2, len(media) // MOST)
    found = [media[at : at + WINDOW] for at in range(4096, len(media) - WINDOW, step)]
    return [one for one in found if len(set(one)) > WINDOW // 2]


async def test_taken_along_and_disclosed(
    browser: Browser, product: Product, tmp_path: Path
) -> None:
    agent, customer = await new_call(browser, product)
    await record(agent, customer, product, 2)
    await agent.click("Stop recording")
    await until("sealed", lambda: product.rows("select 1 from recording where state = 'sealed'"))
    await customer.click("End call")
    link = customer.page.get_by_role("textbox", name="Private link")
    await expect(link).to_have_value(re.compile("/privacy#"))
    private = await link.input_value()

    # --- the export, on a phone, in two languages
    person = await window(browser, PHONE)
    page, watch = person.page, Watch(person, product.url)
    addresses: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    await page.goto(private)
    await expect(page.get_by_role("heading", name="Take your data along")).to_be_visible()
    await person.click("Export my data")
    ready = page.get_by_role("button", name=re.compile("^Download"))
    await expect(ready).to_be_visible()
    await watch.check("export-ready-en")
    await page.get_by_label("Language").select_option("de")
    await expect(page.get_by_role("heading", name="Ihre Daten mitnehmen")).to_be_visible()
    await watch.check("export-ready-de")
    download = await saved(person, re.compile("^Herunterladen"))
    path = tmp_path / download.suggested_filename
    await download.save_as(path)
    data = path.read_bytes()
    etag = (await page.request.get(download.url)).headers["etag"]
    again = await interrupted(page, download.url, etag)
    assert again["status"] == 206
    assert again["range"] == f"bytes {again['had']}-{len(data) - 1}/{len(data)}"
    assert again["sha256"] == hashlib.sha256(data).hexdigest()
    secret = private.partition("#")[2]
    assert not [address for address in addresses if secret in address.partition("#")[0]]

    # --- what is in it
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
        archive.extractall(tmp_path / "mine")
    manifest = json.loads(files.pop("manifest.json"))
    assert {one["name"]: one["sha256"] for one in manifest["files"]} == {
        name: hashlib.sha256(content).hexdigest() for name, content in files.items()
    }
    (own,) = [name for name in files if name.endswith(".webm")]
    assert own.endswith("/customer.webm")
    codecs, seconds = streams(tmp_path / "mine" / own)
    assert codecs == {"vp8", "opus"}
    assert seconds > 1.5
    (receipt,) = [name for name in files if name.startswith("receipts/given")]
    assert run(["receipt", "verify", str(tmp_path / "mine" / receipt)]) == 0
    read = await window(browser, PHONE)
    seen = Watch(read, product.url)
    await read.page.goto((tmp_path / "mine" / "index.html").as_uri())
    await expect(read.page.get_by_text("Cleo Customer")).to_be_visible()
    await seen.check("export-page")
    sent = windows(files[own])
    assert len(sent) > 50
    assert where_in_plain(product, sent) == []
    assert (product.data / "exports").stat().st_mode & 0o777 == 0o700
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in product.files("exports"))

    # --- a disclosure, from a session's story
    admin = await staff(browser, product, "admin")
    desk = Watch(admin, product.url)
    await admin.page.locator("#recordings button.link").first.click()
    story = admin.page.get_by_role("region", name="Story of a session")
    await story.get_by_role("link", name="Disclose").click()
    form = admin.page.get_by_role("region", name="New disclosure")
    await form.get_by_label("To an authority or a processor").select_option("processor")
    await expect(form.get_by_label("To which processor")).to_be_visible()
    await expect(form.get_by_text("nobody in the register of processors")).to_be_visible()
    await expect(form.get_by_label("To whom", exact=True)).to_be_hidden()
    await desk.check("disclosure-form-processor")
    await form.get_by_label("To an authority or a processor").select_option("authority")
    who = pyrage.x25519.Identity.generate()
    for label, text in (
        ("To whom", "District Court"),
        ("Which order, law or contract", "Order 12"),
        ("Reason", "Case 12/26"),
        ("Their age public key (age1…)", str(who.to_public())),
    ):
        await form.get_by_label(label, exact=True).fill(text)
    await form.get_by_label("picture and sound").check()
    await desk.check("disclosure-form")
    await form.get_by_role("button", name="Disclose").click()
    package = admin.page.get_by_role("link", name=re.compile("^Download the sealed package"))
    await expect(package).to_be_visible()
    await desk.check("disclosure-made")
    sealed = await saved(admin, re.compile("^Download the sealed"), "link")
    with zipfile.ZipFile(
        io.BytesIO(pyrage.decrypt(Path(await sealed.path()).read_bytes(), [who]))
    ) as archive:
        names = archive.namelist()
        assert archive.read(own) == files[own]
    assert sum(name.endswith(".webm") for name in names) == 2
    assert where_in_plain(product, sent) == []
    await admin.page.set_viewport_size(PHONE)
    await admin.page.get_by_label("Language").select_option("de")
    await expect(admin.page.get_by_role("heading", name="Offenlegungen", level=1)).to_be_visible()
    await desk.check("disclosure-de")

    # --- its time is over: the person is told, in both languages
    with contextlib.closing(sqlite3.connect(product.data / "avsession.sqlite3")) as rows, rows:
        rows.execute("update export set expires_ms = requested_ms")
    await until("expired", lambda: product.rows("select 1 from export where state = 'expired'"))
    await page.reload()
    await expect(page.get_by_text("District Court")).to_be_visible()
    gone = page.get_by_role("listitem").filter(has_text="and was then deleted")
    await expect(gone.get_by_role("button", name="Remove from this list")).to_be_visible()
    await expect(page.get_by_role("button", name="Export my data")).to_be_enabled()
    await watch.check("export-disclosed")
    await page.get_by_label("Language").select_option("de")
    gone = page.get_by_role("listitem").filter(has_text="und wurde dann gelöscht")
    await gone.get_by_role("button", name="Aus dieser Liste entfernen").click()
    await expect(gone).to_have_count(0)
    await product.proven()
