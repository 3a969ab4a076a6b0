"""What the attacks are made in: a product, its people, and a look at whether anything changed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.outside import Outside, Person, agree, ask_of
from tests.faults.taken import Worker

SDP = Path(__file__).parent.parent / "avsession" / "sdp"
TABLES = (
    "consent_event", "consent_state", "recording_request", "recording", "capture_grant",
    "track", "manifest_entry", "segment", "withdrawal", "access",
)  # fmt: skip
"""Everything that says what was agreed, what may be captured, and what is kept."""


def offer(fingerprint: str) -> str:
    """A recorder's offer with this fingerprint."""
    text = (SDP / "recorder-offer.sdp").read_text()
    return re.sub(r"sha-256 \S+", f"sha-256 {fingerprint}", text)


@asynccontextmanager
async def untouched(out: Outside) -> AsyncIterator[None]:
    """Nothing is any different afterwards, but for leaves that say what was refused."""

    def all_of_it() -> dict[str, Any]:
        rows = out.product.rows
        stored: dict[str, Any] = {table: rows(f"select * from {table}") for table in TABLES}  # noqa: S608
        stored["leaves"] = [
            leaf
            for leaf in rows("select * from leaf order by 1")
            if b'"access.denied"' not in bytes(leaf["data"])
        ]
        stored["files"] = [
            (str(path), path.read_bytes()) for path in out.product.files("objects", "custody")
        ]
        return stored

    before = all_of_it()
    yield
    after = all_of_it()
    assert after.keys() == before.keys()
    for what, was in before.items():
        assert after[what] == was, what


@dataclass
class Scene:
    """A product with an agent, an admin, and a recorder that was taken over."""

    out: Outside
    agent: str
    admin: str
    worker: Worker

    async def asked(self) -> tuple[Person, Person, str, dict[str, Any]]:
        """A call in which recording was asked for; the request, and what an answer says."""
        agent, customer = await self.out.call(self.agent)
        await agent.wire.ask("recording.request", purposes=["quality"])
        request, notice = ask_of(await customer.wire.hear("recording.asked"))
        said = {"request": request, "notice": notice, "language": "en", "purposes": ["quality"]}
        return agent, customer, request, said

    async def recording(self) -> tuple[Person, Person, str]:
        """A call that is recorded, a second of each stored; the request."""
        agent, customer = await self.out.call(self.agent)
        after = len(self.worker.wire.heard)
        request = await agree(agent, customer)
        self.worker.chain, self.worker.index = [], {}
        await self.worker.granted(after)
        await self.worker.begin()
        await self.worker.store(agent, customer, seconds=2)
        return agent, customer, request
