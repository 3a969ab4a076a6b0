"""Looking for media in plain where none may be: by the very bytes that were sent."""

from __future__ import annotations

import base64
import mmap
from pathlib import Path

from playwright.async_api import Locator

from tests.browser.people import Person
from tests.browser.product import Product

WINDOW = 24
"""Bytes of each payload that are searched for: long enough never to match by chance."""
MOST = 400


async def download(admin: Person, video: Locator) -> bytes:
    """A track as its entitled viewer gets it."""
    text: str = await admin.page.evaluate(
        """async (url) => {
            const bytes = new Uint8Array(await (await fetch(url)).arrayBuffer());
            let text = '';
            for (let i = 0; i < bytes.length; i += 32768)
                text += String.fromCharCode(...bytes.subarray(i, i + 32768));
            return btoa(text);
        }""",
        await video.evaluate("v => v.currentSrc"),
    )
    return base64.b64decode(text)


async def payloads(admin: Person, player: Locator) -> list[bytes]:
    """Windows from the middle of the frames of every track."""
    found: list[bytes] = []
    for video in await player.locator("video").all():
        data = await download(admin, video)
        step = max(WINDOW * 2, len(data) // (MOST // 2))
        # the first part is the header, which holds nothing of anybody
        found += [data[at : at + WINDOW] for at in range(4096, len(data) - WINDOW, step)]
    return [window for window in found if len(set(window)) > WINDOW // 2]


def where_in_plain(product: Product, sent: list[bytes]) -> list[str]:
    """The files of the product, its temporary folder and its log that hold any of it."""
    places = [product.data, product.temporary, product.log]
    files = [p for place in places for p in ([place] if place.is_file() else place.rglob("*"))]
    return [str(path) for path in files if path.is_file() and _holds(path, sent)]


def _holds(path: Path, sent: list[bytes]) -> bool:
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return any(data.find(window) >= 0 for window in sent)
