"""What a server answers that stands by: nothing of a call, and when to come again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from avsession.config import Settings
from avsession.usecases.readiness import CODES
from web.middleware import POLICY
from web.waiting import Standby, Waiting, create_waiting_app

Client = TestClient[web.Request, web.Application]


@pytest.fixture
async def waits() -> AsyncIterator[tuple[Client, Standby]]:
    state = Standby(database=True)
    app = create_waiting_app(Settings(public_url="https://localhost:1/calls"), state)
    async with TestClient(TestServer(app)) as client:
        yield client, state


@pytest.mark.parametrize("base", ["", "/calls"])
async def test_it_is_there_and_takes_nothing(waits: tuple[Client, Standby], base: str) -> None:
    client, state = waits
    for path in ("/", "/join", "/signaling", "/metrics", "/api/about", "/static/call.js"):
        for method in ("GET", "POST", "DELETE"):
            answer = await client.request(
                method, f"{base}{path}", data=b"x" if method == "POST" else None
            )
            assert answer.status == 503, path
            assert answer.headers["Retry-After"] == "1"
            assert answer.headers["Cache-Control"] == "no-store"
            assert POLICY in answer.headers
            assert "Server" not in answer.headers
    problem = await (await client.get(f"{base}/api/about")).json()
    assert (problem["code"], problem["detail"]) == ("server.standby", Waiting.sentence)
    health = await client.get(f"{base}/healthz")
    assert (health.status, await health.json()) == (200, {"status": "ok"})
    ready = await client.get(f"{base}/readyz")
    assert (ready.status, ready.headers["Retry-After"]) == (503, "1")
    assert await ready.json() == {"ready": False, "problems": ["standby"], "warnings": []}
    assert "standby" in CODES
    state.database = False
    assert (await client.get(f"{base}/healthz")).status == 503
    problem = await (await client.get(f"{base}/api/about")).json()
    assert problem["code"] == "database.unavailable"
