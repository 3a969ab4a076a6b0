"""Restoring: everything is there again and plays, but for what was erased since."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import ssl
import sys
import tarfile
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from avsession.__main__ import run
from avsession.audit import checkpoint
from avsession.config import Settings
from avsession.errors import LogShrunk
from avsession.keys import FileSigner
from avsession.messages import WithdrawConsent
from avsession.privacy import stored
from avsession.privacy.requests import Right
from avsession.records import Account, AuthSession, Recording, Withdrawal
from avsession.serve import Files, close_store, open_services
from avsession.session import Party, Session
from avsession.storage.journal import FileJournal
from avsession.usecases import (
    consent,
    evidence,
    forgetting,
    journal,
    leaving,
    mydata,
    outgoing,
    replaying,
    rights,
    waysin,
)
from avsession.usecases.replaying import Replayed
from avsession.usecases.services import Services
from signaling.hub import Hub
from tests.avsession.usecases.test_exports import PLAIN
from tests.avsession.usecases.world import CUSTOMER_NAME
from tests.browser.product import Product
from tests.support.data import Data, made

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Data:
    monkeypatch.delenv("AVSESSION_CONFIG", raising=False)
    monkeypatch.setenv("AVSESSION_RETENTION__KEY_BACKUP_DAYS", "7")
    monkeypatch.setattr("avsession.logs.configure", lambda level, as_json: None)
    return asyncio.run(made(tmp_path))


def backed_up(data: Data) -> Path:
    to = data.folder.parent / "backup"
    assert run(["backup", "create", "--to", str(to), "--data", str(data.folder)]) == 0
    return to


def restored(backup: Path, *more: str) -> int:
    return run(["backup", "restore", str(backup), "--data", str(backup.parent / "new"), *more])


@contextlib.asynccontextmanager
async def opened(settings: Settings, folder: Path) -> AsyncIterator[Services]:
    """The use cases on a data folder."""
    app = await open_services(settings, Files(folder), Hub())
    try:
        yield app
    finally:
        await close_store(app)


async def erase(data: Data, *, nobody: bool = False) -> None:
    """The customer is erased, as their page would have it, and the running server notes it."""
    async with opened(Settings(), data.folder) as app:
        if not nobody:
            await forgetting.forget(app, data.customer)
        await journal.catch_up(app, FileJournal(data.folder / "anchor"))


async def take_back(settings: Settings, data: Data, folder: Path) -> None:
    """Everybody takes back what they can, and the running server notes it."""
    async with opened(settings, folder) as app:
        async with app.store.read() as tx:
            recording = await tx.get(Recording, data.recording)
            party = await tx.get(Party, data.customer)
            agent = await tx.one(Account, role="agent")
        assert recording
        assert party
        assert agent
        await leaving.disable(app, None, agent.id)
        secret = await mydata.renew_link(app, party)
        await waysin.close(app, secret, closed=True)
        await rights.ask(app, secret, Right.COMPLAIN, "It went on for too long.", [], "k" * 22)
        said = WithdrawConsent(request=recording.request, key="k" * 22)
        await consent.withdraw(app, data.customer, said)
        kept = FileJournal(folder / "anchor")
        await journal.make_whole(app, kept)
        await journal.catch_up(app, kept)
        await evidence.checkpoint(app)


async def is_taken_back(settings: Settings, data: Data, folder: Path) -> None:
    """All of that holds in what was restored."""
    async with opened(settings, folder) as app, app.store.read() as tx:
        recording = await tx.get(Recording, data.recording)
        party = await tx.get(Party, data.customer)
        agent = await tx.one(Account, role="agent")
        session = await tx.get(Session, party.session) if party else None
        assert recording
        assert party
        assert agent
        assert session
        assert agent.disabled
        assert await tx.count(AuthSession) == 0
        assert await mydata.receipts_closed(tx, session, party)
        assert await outgoing.for_admin(tx, recording) == []
        assert [row.fate for row in await tx.find(Withdrawal)] == [None]


TAKEN_BACK = {"revoked": 3, "withdrawn": 1, "restricted": 0}
LEFT = "1 thing is left to do by hand: see by_hand"


def test_what_was_taken_back_since_stays_so(data: Data, capsys: pytest.CaptureFixture[str]) -> None:
    backup = backed_up(data)
    asyncio.run(take_back(Settings(), data, data.folder))
    anchor = str(data.folder / "anchor")
    capsys.readouterr()
    assert restored(backup, "--erasures", anchor, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["taken_back_again"], said["problems"]) == (True, TAKEN_BACK, [])
    assert [one["right"] for one in said["by_hand"]] == ["complain"]
    assert said["sign_ins_ended"] > 0
    assert (list(said)[-1], said["left_to_do"]) == ("left_to_do", LEFT)
    new = backup.parent / "new"
    asyncio.run(is_taken_back(Settings(), data, new))
    assert run(["recording", "verify", "--all", "--data", str(new)]) == 0
    # a journal that an older version kept does not know the half of it, and that is said
    kept = data.folder / "anchor" / "erasures.jsonl"
    lines = [one for one in kept.read_text().splitlines() if '"journal.whole"' not in one]
    kept.write_text("\n".join(lines) + "\n")
    upto = kept.with_name("erasures.upto")
    upto.write_text(upto.read_text().split()[0] + "\n")
    shutil.rmtree(new)
    capsys.readouterr()
    assert restored(backup, "--erasures", anchor, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["by_hand"][-1]["why"] == replaying.OLDER
    assert said["left_to_do"] == LEFT.replace("1 thing is", "2 things are")


async def sign(data: Data) -> None:
    """Something more happens, and is signed."""
    async with opened(Settings(), data.folder) as app:
        await evidence.adopt(app, "test")


def holding(folder: Path, *words: bytes) -> list[str]:
    return [
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and any(word in path.read_bytes() for word in words)
    ]


def test_who_was_erased_since_does_not_come_back(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = backed_up(data)
    name = CUSTOMER_NAME.encode()
    assert holding(backup, name)
    asyncio.run(erase(data))
    assert not holding(data.folder, name)
    anchor = str(data.folder / "anchor")
    capsys.readouterr()
    assert restored(backup, "--erasures", anchor, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert said["erased_again"] == {"recordings": 1, "persons": 1}
    assert (said["ok"], said["failed"], said["problems"]) == (True, [], [])
    new = backup.parent / "new"
    assert not holding(new, name)
    assert not list((new / "objects").rglob("*.age"))
    assert not list((new / "custody" / "tracks").iterdir()), "no key of theirs either"
    assert run(["audit", "verify", "--data", str(new)]) == 0
    # the next restore knows, too: the journal went on
    entries = asyncio.run(FileJournal(new / "anchor").read())
    assert {"recording.erased", "subject.erased"} <= {one.kind for one in entries}


def test_without_knowing_what_was_erased_nothing_is_restored(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = backed_up(data)
    new = backup.parent / "new"
    assert restored(backup) == 1
    assert "--erasures" in capsys.readouterr().err
    assert not new.exists()
    # a journal that ends before the log did is not the newest copy
    asyncio.run(FileJournal(data.folder / "anchor").add([], 1))
    assert restored(backup, "--erasures", str(data.folder / "anchor")) == 1
    assert "ends at leaf 1" in capsys.readouterr().err
    assert not new.exists()
    # nor is one that reaches past the backup and not to the last head that was signed
    asyncio.run(erase(data))
    later = asyncio.run(FileJournal(data.folder / "anchor").upto())
    asyncio.run(sign(data))
    asyncio.run(FileJournal(data.folder / "anchor").add([], later))
    assert restored(backup, "--erasures", str(data.folder / "anchor")) == 1
    assert "but the log had" in capsys.readouterr().err
    # whoever knows better says why, and the log keeps it
    assert restored(backup, "--without-erasures", "the machine burnt") == 0
    assert run(["audit", "verify", "--data", str(new)]) == 0
    assert holding(new, b"the machine burnt") == ["avsession.sqlite3"]


def test_only_the_newest_journal_of_the_same_log_will_do(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    anchor, new = data.folder / "anchor", data.folder.parent / "new"
    asyncio.run(erase(data, nobody=True))
    backup = backed_up(data)
    # what the backup holds says nothing of the time after it
    assert restored(backup, "--erasures", str(backup / "anchor")) == 1
    assert "the backup's own" in capsys.readouterr().err
    # its lines were copied before its count was
    asyncio.run(erase(data))
    lines = anchor / "erasures.jsonl"
    whole = lines.read_bytes()
    lines.write_bytes(whole[: whole.index(b"\n") + 1])
    assert restored(backup, "--erasures", str(anchor)) == 1
    assert "was copied while it was written" in capsys.readouterr().err
    lines.write_bytes(whole)
    # another service's, of the same name
    note = (anchor / "checkpoint").read_text()
    head = checkpoint.parse(note)
    other = FileSigner(data.folder.parent / "other.key")
    signed = asyncio.run(checkpoint.sign(head.origin, head.size, head.root, other))
    (anchor / "checkpoint").write_text(signed.note)
    assert restored(backup, "--erasures", str(anchor)) == 2
    assert "is not of this backup's log" in capsys.readouterr().err
    assert not new.exists()
    (anchor / "checkpoint").write_text(note)
    for path in (*(backup / "keys").iterdir(), backup):
        path.chmod(0o755)  # as some disks have it
    assert restored(backup, "--erasures", str(anchor)) == 0


def test_nothing_is_served_of_what_was_interrupted_or_failed(
    data: Data, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = backed_up(data)
    new = backup.parent / "new"

    async def killed(*_: object) -> Replayed:
        raise GeneratorExit

    async def failing(*_: object) -> Replayed:
        return Replayed(failed=[{"kind": "subject.erased", "leaf": 3, "session": None}])

    monkeypatch.setattr(replaying, "replay", killed)
    with pytest.raises(GeneratorExit):
        restored(backup, "--without-erasures", "a test")
    assert holding(new, CUSTOMER_NAME.encode())
    with pytest.raises(LogShrunk):
        asyncio.run(open_services(Settings(), Files(new), Hub()))
    shutil.rmtree(new)
    monkeypatch.setattr(replaying, "replay", failing)
    capsys.readouterr()
    assert restored(backup, "--without-erasures", "a test", "--json") == 1
    said = json.loads(capsys.readouterr().out)
    assert "Nothing of it is served" in said["problems"][0]
    assert not (new / "avsession.sqlite3").exists()


def test_a_folder_that_is_in_use_is_left_alone(
    data: Data, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = backed_up(data)
    (backup.parent / "new").mkdir()
    (backup.parent / "new" / "mine").write_text("here")
    assert restored(backup, "--without-erasures", "test") == 2
    assert "is not empty" in capsys.readouterr().err
    assert [path.name for path in (backup.parent / "new").iterdir()] == ["mine"]


@pytest.mark.parametrize("damage", ["changed", "missing", "database", "keys", "foreign"])
def test_a_damaged_backup_is_refused(
    data: Data, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    backup = backed_up(data)
    segment = next(iter(backup.rglob("*.age")))
    keys = backup.with_name("backup.keys.tar")
    if damage == "changed":
        segment.write_bytes(segment.read_bytes()[:-1] + b"x")
    elif damage == "missing":
        segment.unlink()
    elif damage == "database":
        database = backup / "database.sqlite3"
        database.write_bytes(database.read_bytes()[:-4096])
    elif damage == "keys":
        keys.write_bytes(keys.read_bytes() + b"x")
    else:
        with tarfile.open(keys, "w") as archive:
            archive.addfile(tarfile.TarInfo("../../etc/passwd"))
    assert restored(backup, "--without-erasures", "test") == 1
    assert capsys.readouterr().err
    check = ["backup", "check", str(backup), "--data", str(data.folder)]
    assert run(check) == 1


async def test_a_live_servers_backup_plays_again_in_an_empty_folder(tmp_path: Path) -> None:
    data = await made(tmp_path)
    product = Product(tmp_path, retention__key_backup_days="7", recorders="0")
    assert product.data == data.folder
    await product.start()
    backup = tmp_path / "monday"
    try:
        assert (
            json.loads(await command("backup", "create", "--to", str(backup), data=data.folder))[
                "recordings"
            ]
            == 1
        )
    finally:
        await product.stop()
    newest = tmp_path / "anchor"  # what is copied often, to another machine
    shutil.copytree(data.folder / "anchor", newest)
    shutil.rmtree(data.folder)
    said = json.loads(
        await command("backup", "restore", str(backup), "--erasures", str(newest), data=data.folder)
    )
    assert (said["ok"], said["unknown"]) == (True, "")
    await command("audit", "verify", data=data.folder)
    await product.start()
    try:
        media = await played(product, data.recording)
    finally:
        await product.stop()
    assert len(media) == 2
    assert all(word in one for one in media for word in PLAIN)


async def command(*words: str, data: Path, more: Mapping[str, str] | None = None) -> str:
    """A command of its own process, as an operator has it; its answer."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "avsession", *words, "--data", str(data), "--json"),
        stdout=asyncio.subprocess.PIPE,
        env={"AVSESSION_RETENTION__KEY_BACKUP_DAYS": "7", "PATH": ""}
        | python_path()
        | dict(more or {}),
    )
    out, _ = await process.communicate()
    assert process.returncode == 0, out
    return out.decode()


def python_path() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(__file__).parents[2])}


async def played(product: Product, recording: str) -> list[bytes]:
    """What an admin's player gets of each track."""
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connector = aiohttp.TCPConnector(ssl=trust)
    ours = {"Origin": product.url, "X-Avsession": "1"}
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as client:

        async def post(path: str, body: dict[str, Any]) -> Any:
            async with client.post(product.url + path, json=body, headers=ours) as answer:
                if stored.STAFF in answer.cookies:
                    ours["Cookie"] = f"{stored.STAFF}={answer.cookies[stored.STAFF].value}"
                assert answer.status == 200, await answer.text()
                return await answer.json()

        secret = product.links["admin"].partition("#")[2]
        await post("/api/sign-in/link", {"secret": secret})
        said = {"reason": "after the restore", "purpose": "quality"}
        opened = await post(f"/api/admin/recordings/{recording}/open", said)
        found = []
        for track in opened["tracks"]:
            async with client.get(product.url + track["url"], headers=ours) as answer:
                assert answer.status == 200
                found.append(await answer.read())
        return found
