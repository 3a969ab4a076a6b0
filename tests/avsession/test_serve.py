"""The composition: what is made where, and that the parts meet. The browser tests run the rest."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from avsession.audit import log as audit_log
from avsession.audit.log import KINDS
from avsession.canonical import unb64
from avsession.config import Settings
from avsession.errors import LinkSpent, Unavailable
from avsession.records import Leaf
from avsession.serve import (
    Files,
    build_name,
    close_store,
    note_start,
    open_services,
    tls_files,
    worker_arguments,
)
from avsession.usecases import accounts
from recorder.__main__ import parser
from signaling.hub import Hub


async def test_everything_made_is_private(tmp_path: Path) -> None:
    files = Files(tmp_path / "data")
    app = await open_services(Settings(), files, Hub())
    worker_arguments(Settings(), files, app, 0)
    tls_files(Settings(), files)
    await close_store(app)
    made = [files.root, *files.root.rglob("*")]
    assert len(made) > 10
    for path in made:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


async def test_a_worker_is_told_no_secret_and_can_read_its_command_line(tmp_path: Path) -> None:
    files = Files(tmp_path)
    app = await open_services(Settings(), files, Hub())
    line = worker_arguments(Settings(log_json=True), files, app, 0)
    given = parser().parse_args(line)
    assert len(unb64(given.grant_key)) == 32
    assert given.worker == worker_of(worker_arguments(Settings(), files, app, 0))
    credential = (files.keys / "recorder.credential").read_text().strip()
    assert credential not in " ".join(line)
    await close_store(app)


def worker_of(line: list[str]) -> str:
    worker: str = parser().parse_args(line).worker
    return worker


async def test_each_start_prints_fresh_links_for_one_use(tmp_path: Path) -> None:
    app = await open_services(Settings(), Files(tmp_path), Hub())
    links = dict(await accounts.sign_in_links(app))
    assert links.keys() == {"agent", "admin"}
    again = dict(await accounts.sign_in_links(app))
    assert again["agent"] != links["agent"]
    secret = links["agent"].split("#")[1]
    await accounts.sign_in_by_link(app, secret)
    with pytest.raises(LinkSpent):
        await accounts.sign_in_by_link(app, secret)
    await close_store(app)


async def test_each_start_is_one_leaf(tmp_path: Path) -> None:
    for starts in (1, 2, 3):
        app = await open_services(Settings(), Files(tmp_path), Hub())
        await note_start(app)
        async with app.store.write() as tx:
            found = [leaf.kind for leaf in await tx.find(Leaf) if leaf.kind == "log.started"]
            assert len(found) == starts
            # other things happen, too
            await audit_log.append(tx, app.clock, app.entropy, "audit.read", actor="server")
        await close_store(app)


def test_the_build_is_named_after_the_pages_code() -> None:
    assert build_name() == build_name()
    assert len(build_name()) <= 64
    assert "log.started" in KINDS


def test_one_server_a_data_folder(tmp_path: Path) -> None:
    files = Files(tmp_path / "data")
    lock = files.lock()
    with pytest.raises(Unavailable, match="Another server uses"):
        files.lock()
    os.close(lock)
    os.close(files.lock())
