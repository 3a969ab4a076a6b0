"""``avsession doctor``: a sound service is well, and what is not is named, with a cure."""

from __future__ import annotations

import asyncio
import datetime
import json
import sqlite3
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from avsession import doctor, keys
from avsession.__main__ import run
from avsession.config import Settings
from avsession.config_processes import Custody, Recorder
from avsession.doctor import CHECKS, Finding, examine, holds
from avsession.serve import Files
from avsession.storage import snapshot
from tests.avsession.test_certificates import make
from tests.support.data import Data, made


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setattr(doctor, "WATCH_S", 0.01)
    # of this machine nothing is known: it may be busy, and its disk in memory and small
    monkeypatch.setattr(doctor, "JUMP_S", 60.0)
    monkeypatch.setattr(Files, "free", lambda _: 100_000 * 1024 * 1024)
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)
    found = asyncio.run(made(tmp_path))
    keys.signing_key(found.folder / "keys" / "grant.key")
    return found


def of(data: Data, name: str, settings: Settings | None = None) -> Finding:
    settings = settings or Settings(data=str(data.folder))

    async def ask() -> Finding:
        return await CHECKS[name](settings, Files.of(settings))

    return asyncio.run(ask())


def test_a_sound_service_that_is_not_running(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["doctor", "--data", str(data.folder), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    by_name = {one["check"]: one for one in said["checks"]}
    assert by_name.keys() == CHECKS.keys()
    assert said["ok"] is True
    for name in ("permissions", "keys", "database"):
        assert by_name[name]["result"] == "ok", by_name[name]
    assert by_name["reachability"]["result"] == "warn"
    assert all(one["do"] for one in said["checks"] if one["result"] != "ok")
    assert not list(data.folder.glob(".doctor*")), "nothing is left behind"
    assert run(["doctor", "--data", str(data.folder)]) == 0
    assert "to look at." in capsys.readouterr().out


def test_before_the_first_start_nothing_is_bad_and_nothing_is_made(tmp_path: Path) -> None:
    found = asyncio.run(examine(Settings(data=str(tmp_path / "none"))))
    assert holds(found)
    assert not (tmp_path / "none").exists()


def test_settings_that_cannot_be_read_are_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.toml").write_text("no_such_setting = 1\n")
    assert run(["doctor", "--config", str(tmp_path / "bad.toml"), "--json"]) == 1
    (said,) = json.loads(capsys.readouterr().out)["checks"]
    assert (said["check"], said["result"]) == ("settings", "bad")
    assert "no_such_setting" in said["found"]


def _other(data: Data) -> None:
    (data.folder / "keys" / "log.key").write_text("no key")


def _gone(data: Data) -> None:
    (data.folder / "custody" / "custodian.key").unlink()


def _legible(data: Data) -> None:
    (data.folder / "custody" / "custodian.key").chmod(0o644)


def _broken(data: Data) -> None:
    database = data.folder / "avsession.sqlite3"
    database.write_bytes(database.read_bytes()[:-20_000])


def _dangling(data: Data) -> None:
    """What opens all the same."""
    with sqlite3.connect(data.folder / "avsession.sqlite3") as database:
        database.execute("DELETE FROM session")


def _empty(data: Data) -> None:
    (data.folder / "avsession.sqlite3").write_bytes(b"")


def _older(data: Data) -> None:
    with sqlite3.connect(data.folder / "avsession.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")


@pytest.mark.parametrize(
    ("check", "harm"),
    [
        ("permissions", lambda data: data.folder.chmod(0o755)),
        ("keys", _other),
        ("keys", _gone),
        ("keys", _legible),
        ("database", _broken),
        ("database", _dangling),
        ("database", _empty),
        ("database", _older),
    ],
)
def test_what_is_wrong_is_bad_and_has_a_cure(
    data: Data, check: str, harm: Callable[[Data], object], capsys: pytest.CaptureFixture[str]
) -> None:
    harm(data)
    assert run(["doctor", "--data", str(data.folder), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    found = next(one for one in said["checks"] if one["check"] == check)
    assert found["result"] == "bad"
    assert found["do"]


def test_an_empty_database_is_not_of_another_version(data: Data, tmp_path: Path) -> None:
    _empty(data)
    found = of(data, "database")
    assert (found.result, "version" in found.found) == ("bad", False)
    new = tmp_path / "new"
    new.mkdir(mode=0o700)
    (new / "avsession.sqlite3").touch(mode=0o600)
    found = of(data, "database", Settings(data=str(new)))
    assert (found.result, found.found) == ("warn", "it has no tables yet")


def test_a_disk_that_is_full_or_slow(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    for free, result in ((511, "bad"), (600, "warn"), (100_000, "ok")):
        monkeypatch.setattr(Files, "free", lambda _, free=free: free * 1024 * 1024)
        monkeypatch.setattr(doctor, "_sync_time", lambda _: 0.001)
        assert of(data, "disk").result == result
    monkeypatch.setattr(doctor, "_sync_time", lambda _: 1.0)
    assert of(data, "disk").result == "warn"


def test_a_clock_that_was_set(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter((1000.0, 1090.0))
    monkeypatch.setattr("avsession.doctor.time.time", lambda: next(times))
    found = of(data, "clock")
    assert (found.result, "NTP" in found.do) == ("bad", True)


@pytest.mark.parametrize(
    ("days", "names", "result"),
    [(30, "calls.example.com", "ok"), (5, "calls.example.com", "warn"),
     (-0.5, "calls.example.com", "bad"), (30, "other.example.com", "bad")],
)  # fmt: skip
def test_a_certificate(data: Data, tmp_path: Path, days: float, names: str, result: str) -> None:
    make(tmp_path, names, days=days)
    settings = Settings(
        data=str(data.folder),
        public_url="https://calls.example.com",
        certificate=str(tmp_path / "chain.pem"),
    )
    assert of(data, "certificate", settings).result == result


def test_a_certificate_whose_key_is_another_s(data: Data, tmp_path: Path) -> None:
    """No server starts with it."""
    make(tmp_path)
    key = tmp_path / "key.pem"
    settings = Settings(
        data=str(data.folder),
        public_url="https://calls.example.com",
        certificate=str(tmp_path / "chain.pem"),
        certificate_key=str(key),
    )
    assert of(data, "certificate", settings).result == "ok"
    other = key.read_bytes()
    make(tmp_path)
    key.write_bytes(other)
    found = of(data, "certificate", settings)
    assert (found.result, "is not the key of" in found.found) == ("bad", True)
    key.unlink()
    found = of(data, "certificate", settings)
    assert (found.result, "cannot be read" in found.found) == ("bad", True)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        (
            (
                '[[webhooks.endpoints]]\nname = "crm"\nurl = "https://crm.example.com/"\n'
                'secret_file = "{none}"\n'
            ),
            "The webhook secret",
        ),
        (
            (
                '[company]\nissuer = "https://id.example.com"\nclient_id = "avsession"\n'
                'client_secret_file = "{none}"\nroles = [{{ value = "agents", role = "agent" }}]\n'
            ),
            "company.client_secret_file cannot be read",
        ),
    ],
)
def test_a_secret_without_which_no_server_starts(
    data: Data, tmp_path: Path, capsys: pytest.CaptureFixture[str], setting: str, named: str
) -> None:
    config = tmp_path / "avsession.toml"
    config.write_text(f'data = "{data.folder}"\n{setting.format(none=tmp_path / "none")}')
    assert run(["doctor", "--config", str(config), "--json"]) == 1
    (found,) = json.loads(capsys.readouterr().out)["checks"]
    assert (found["check"], named in found["found"]) == ("settings", True), found["found"]


def test_ports_and_limits(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    few = Settings(data=str(data.folder), recorder=Recorder(ports="40000-40063"))
    assert of(data, "udp", few).result == "warn"
    wide = Settings(data=str(data.folder), recorder=Recorder(ports="40000-49999"))
    assert of(data, "udp", wide).result == "ok"
    none = of(data, "udp", Settings(data=str(data.folder), recorders=0))
    assert (none.result, "ports" in none.found) == ("ok", False)
    for soft, result in ((1024, "warn"), (65_536, "ok")):
        monkeypatch.setattr("avsession.doctor.resource.getrlimit", lambda _, n=soft: (n, n))
        assert of(data, "limits").result == result


def test_custody_that_does_not_answer(data: Data, tmp_path: Path) -> None:
    away = Settings(data=str(data.folder), custody=Custody(socket=str(tmp_path / "none")))
    found = of(data, "keys", away)
    assert (found.result, found.found.startswith(str(tmp_path / "none"))) == ("bad", True)
    assert "avsession custody run" in found.do


@pytest.mark.parametrize(
    ("page", "health", "result"),
    [("200 OK", "200 OK", "ok"), ("403 Forbidden", "200 OK", "bad"), ("200 OK", "502 No", "bad")],
    ids=["well", "a proxy that is not trusted", "nothing behind the proxy"],
)
def test_a_proxy_that_is_not_trusted_is_found(
    data: Data, page: str, health: str, result: str
) -> None:
    """Health answers any proxy, pages do not: the address leads here, and nobody can sign in."""
    folder = data.folder / "keys"
    chain, key, authority = keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(chain, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path = (await reader.readuntil(b"\r\n\r\n")).split()[1]
        status = {b"/healthz": health, b"/signin": page}[path]
        writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    async def look() -> Finding:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            settings = Settings(data=str(data.folder), public_url=f"https://localhost:{port}")
            return await CHECKS["reachability"](settings, Files.of(settings))

    assert authority == folder / "ca.pem"
    found = asyncio.run(look())
    assert found.result == result, found
    assert bool(found.do) == (result != "ok")


def test_backups_that_are_missing_old_or_damaged(data: Data, tmp_path: Path) -> None:
    assert of(data, "backup").result == "warn"
    to = tmp_path / "monday"
    assert run(["backup", "create", "--to", str(to), "--data", str(data.folder)]) == 0
    fresh = of(data, "backup")
    assert (fresh.result, "not checked yet" in fresh.found) == ("ok", True)
    last = snapshot.last_backup(data.folder)
    assert last is not None
    snapshot.note(data.folder, replace(last, made_ms=last.made_ms - 8 * 86_400_000))
    old = of(data, "backup")
    assert (old.result, "older than" in old.found) == ("warn", True)
    assert "backup create" in old.do
    ours = Settings(data=str(data.folder), backup_days=0)
    assert of(data, "backup", ours).result == "ok"
    snapshot.note(data.folder, replace(last, whole=False))
    assert of(data, "backup", ours).result == "bad"
    assert of(Data(tmp_path / "none", "", "", ""), "backup").result == "warn"
    assert not (tmp_path / "none").exists()
