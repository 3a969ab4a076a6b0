"""What the stories of the browser tests share: recording for a while, and watching it."""

from __future__ import annotations

from playwright.async_api import Locator, expect

from avsession.recording import Sealed, decode_line
from tests.browser.people import Person, ask
from tests.browser.product import Product, until


def accepted(product: Product) -> list[Sealed]:
    """The newest recording's segments that the domain keeps."""
    recording = product.rows("select id from recording order by created_ms desc limit 1")[0]["id"]
    kept = {
        (row["track"], row["number"])
        for row in product.rows("select * from segment where recording = ?", recording)
    }
    lines = product.rows("select line from manifest_entry where recording = ?", recording)
    entries = (decode_line(row["line"]).entry for row in lines)
    return [e for e in entries if isinstance(e, Sealed) and (e.track, e.index) in kept]


def kept_since(product: Product, moment_ms: float) -> float | None:
    """When the newest recording's first frames after a moment were kept, of the later of its two
    tracks (ms since the epoch); None while one of them has none."""
    query = "select epoch_ms from recording order by created_ms desc limit 1"
    epoch_ms = product.rows(query)[0]["epoch_ms"]
    first: dict[str, float] = {}
    for segment in accepted(product):
        for cluster in segment.clusters:
            at = epoch_ms + cluster.start_ms
            if at >= moment_ms:
                first[segment.track] = min(first.get(segment.track, at), at)
    return max(first.values()) if len(first) == 2 else None


async def record(agent: Person, customer: Person, product: Product, seconds: float) -> None:
    """Ask, allow, and wait until that much of each track is kept."""
    await ask(agent)
    await agent.allow()
    await customer.allow()
    for person in (agent, customer):
        await person.recording("Recording")
        await person.until("s.legState === 'connected' && s.legBytesSent > 10000")

    def enough() -> bool:
        kept: dict[str, float] = {}
        for s in accepted(product):
            kept[s.track] = kept.get(s.track, 0) + s.end_ms - s.start_ms
        return len(kept) == 2 and min(kept.values()) >= seconds * 1000

    await until(f"{seconds} s kept", enough, seconds + 25)


def state_of_newest(product: Product) -> str:
    row = product.rows("select state from recording order by created_ms desc limit 1")
    return str(row[0]["state"])


async def open_player(admin: Person) -> Locator:
    """Play the newest recording."""
    table = admin.page.get_by_role("table", name="Recordings")
    await table.get_by_role("button", name="Play").first.click()
    await admin.page.get_by_role("textbox", name="Reason").fill("Complaint of the customer")
    await admin.click("Open recording")
    player: Locator = admin.page.get_by_role("region", name="Player")
    await expect(player.locator("video")).to_have_count(2)
    return player
