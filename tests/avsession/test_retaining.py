"""``avsession retention run``, and disabling an account from the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession.__main__ import run
from avsession.config import Settings
from avsession.errors import Unavailable
from avsession.records import Account, SignInLink, Ticket
from avsession.serve import Files, close_store, open_services
from avsession.session import Party, Session
from avsession.storage.folders import FolderObjects
from avsession.usecases import accounts, sessions
from avsession.usecases.permissions import PERMISSIONS, Principal
from signaling.hub import Hub

DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No settings from the developer's environment, and nobody's logging is set up anew."""
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)


async def told(data: Path) -> None:
    """A call of two years ago, a sign-in link and a ticket that ran out."""
    app = await open_services(Settings(), Files(data), Hub())
    try:
        agent = await accounts.create_account(app, "ben", "Ben", "agent", None)
        await accounts.create_account(app, "ann", "Ann", "admin", None)
        who = Principal(
            account=agent.id, name="Ben", role="agent", permissions=PERMISSIONS["agent"],
            auth=b"x", pseudonym="psn_x",
        )  # fmt: skip
        made = await sessions.create_session(app, who, "en")
        claimed = await sessions.claim(app, made.secret, "Cleo Customer", "en")
        await accounts.make_sign_in_link(app, agent.id)
        async with app.store.write() as tx:
            link = (await tx.find(SignInLink))[0]
            await tx.put(replace(link, expires_ms=1))
        await sessions.issue_ticket(app, made.party)
        async with app.store.write() as tx:
            ticket = (await tx.find(Ticket))[0]
            await tx.put(replace(ticket, expires_ms=1))
        await sessions.end_session(app, made.session.id, "test")
        long_ago = app.clock.now_ms() - 800 * DAY_MS
        async with app.store.write() as tx:
            session = await tx.get(Session, made.session.id)
            assert session is not None
            await tx.put(replace(session, ended_ms=long_ago))
        assert claimed.party.name
    finally:
        await close_store(app)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    asyncio.run(told(folder))
    return folder


async def names(data: Path) -> list[str]:
    app = await open_services(Settings(), Files(data), Hub())
    try:
        async with app.store.read() as tx:
            return sorted(party.name for party in await tx.find(Party))
    finally:
        await close_store(app)


def test_dry_then_for_good_then_nothing(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["retention", "run", "--data", str(data)]
    assert run([*command, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "sessions: 1 would be anonymised\n   ses_" in said
    assert "sign-in links: 1 would be removed" in said
    assert "Cleo" not in said
    assert asyncio.run(names(data)) == ["Ben", "Cleo Customer"]
    assert run([*command, "--dry-run", "--json"]) == 0
    would = json.loads(capsys.readouterr().out)
    assert run([*command, "--json"]) == 0
    went = json.loads(capsys.readouterr().out)
    assert (would["dry_run"], went["dry_run"]) == (True, False)
    assert would["rules"] == went["rules"]
    (one,) = [rule for rule in went["rules"] if rule["what"] == "sessions"]
    assert one["count"] == len(one["gone"]) == 1
    assert (one["how"], one["days"], one["kept"], one["failed"]) == ("anonymised", 365, {}, 0)
    assert asyncio.run(names(data)) == ["", ""]
    assert run(command) == 0
    assert "sessions: 0 anonymised" in capsys.readouterr().out
    assert run(["audit", "verify", "--data", str(data)]) == 0


def test_where_there_is_nothing_nothing_is_made(tmp_path: Path) -> None:
    assert run(["retention", "run", "--data", str(tmp_path / "none")]) == 2
    assert not (tmp_path / "none" / "avsession.sqlite3").exists()


def test_what_cannot_go_is_said_and_the_status_says_it_too(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stray = data / "spool" / "w" / f"rec_{'a' * 26}"
    stray.mkdir(parents=True)
    unspool = FolderObjects.unspool

    async def stuck(self: FolderObjects, recording: str) -> bool:
        raise Unavailable

    monkeypatch.setattr("avsession.retaining.AGAIN_S", 0)
    monkeypatch.setattr(FolderObjects, "unspool", stuck)
    assert run(["retention", "run", "--data", str(data)]) == 1
    said = capsys.readouterr().out
    assert "spool: 0 removed, 1 could not go now" in said
    assert "sessions: 1 anonymised" in said, "the others went, whichever try it was"
    monkeypatch.setattr(FolderObjects, "unspool", unspool)
    assert run(["retention", "run", "--data", str(data)]) == 0
    assert not stray.exists()


def test_an_account_is_disabled_from_the_command_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["agent", "disable", "--login", "ben", "--data", str(data), "--json"]
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)["disabled"] == "yes"
    assert run(command) == 1, "that login leads nowhere any more"
    assert "no agent" in capsys.readouterr().err
    assert run(["admin", "disable", "--login", "ann", "--data", str(data)]) == 1
    assert "last account" in capsys.readouterr().err
    assert asyncio.run(disabled(data)) == ["agent"]


async def disabled(data: Path) -> list[str]:
    app = await open_services(Settings(), Files(data), Hub())
    try:
        async with app.store.read() as tx:
            return [row.role for row in await tx.find(Account, disabled=True)]
    finally:
        await close_store(app)
