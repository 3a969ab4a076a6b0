"""``avsession recording export``: a recording to a folder, or as an archive for an age key."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from avsession import keys
from avsession.config import Settings
from avsession.errors import SettingsInvalid
from avsession.privacy.recipe import File, Recipe
from avsession.proving import Progress
from avsession.sealing.open import VirtualFile
from avsession.sealing.package import check_recipient, seal_to
from avsession.serve import Files, close_store, open_services
from avsession.usecases import console, taking
from avsession.usecases.packing import PIECE, Package
from avsession.usecases.services import Services
from signaling.hub import Hub


def add_arguments(one: argparse.ArgumentParser) -> None:
    """What the command takes."""
    one.add_argument("recording", metavar="ID", help="the recording")
    one.add_argument(
        "--login", required=True, help="the admin who does this; the password is asked for"
    )
    one.add_argument("--purpose", required=True, help="a purpose that everyone consented to")
    one.add_argument("--reason", required=True, help="why; the people in it can read it")
    one.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where it is written")
    one.add_argument(
        "--password-stdin", action="store_true", help="read the password from standard input"
    )
    one.add_argument("--age", metavar="RECIPIENT", help="as one archive, sealed to this public key")


async def export(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    """Carry the command out; what was written. Progress goes to standard error.

    Raises SettingsInvalid for a folder that will not do, Invalid for a key that is none, and what
    ``console.take`` raises.
    """
    files = Files.of(settings)
    folder = given.to.resolve()
    if folder.is_relative_to(files.root):
        # nothing plain of media lies in the data folder, whoever asks
        raise SettingsInvalid("The data folder is no place for an export: choose another folder.")
    if not files.root.is_dir():
        raise SettingsInvalid(f"There is no data folder {files.root}.")
    recipient = check_recipient(given.age) if given.age else None
    keys.private_folder(folder)

    def ask() -> str:
        if given.password_stdin:
            return sys.stdin.readline().rstrip("\n")
        return getpass.getpass(f"Password of {given.login}: ")

    app = await open_services(settings, files, Hub())
    progress = Progress(sys.stderr)
    try:
        taken = await console.take(
            app, given.login, given.recording, given.purpose, given.reason, ask
        )
        made = await console.prepared(app, taken)
        write = _archive if recipient else _files
        written = await write(app, made, folder, recipient or "", progress)
    finally:
        progress.close()
        await close_store(app)
    return {
        "recording": taken.recording,
        "export": taken.id,
        "manifest": made.digest,
        "files": written,
    }


async def _track(app: Services, one: File) -> VirtualFile:
    return await taking.track_file(app, one.taken, one.track, console.FOREVER_MS)


async def _files(
    app: Services, made: Recipe, folder: Path, _: str, progress: Progress
) -> list[dict[str, Any]]:
    """Every file by itself, readable by its owner only. Raises FileExistsError."""
    written = []
    for one in made.files:
        with _new(folder / one.name) as stream:
            if one.data is not None:
                stream.write(one.data)
            else:
                track = await _track(app, one)
                for start in range(0, one.size, PIECE):
                    stream.write(await track.read(start, min(start + PIECE, one.size)))
                    progress(one.name, min(start + PIECE, one.size), one.size)
        written.append({"file": one.name, "size": one.size, "sha256": one.sha256})
    return written


async def _archive(
    app: Services, made: Recipe, folder: Path, recipient: str, progress: Progress
) -> list[dict[str, Any]]:
    """One sealed archive."""
    name = f"recording-{made.digest[:12]}.zip.age"
    package = Package(made, lambda one: _track(app, one))
    done, size, digest = 0, 0, hashlib.sha256()

    def note(count: int) -> None:
        nonlocal done
        done += count
        progress(name, done, package.size)

    with ExitStack() as failed:
        with _new(folder / name) as stream:
            failed.callback((folder / name).unlink, missing_ok=True)

            def write(data: bytes) -> None:
                nonlocal size
                size += len(data)
                digest.update(data)
                stream.write(data)

            await seal_to(package.pieces(note), write, recipient)
        failed.pop_all()
    return [{"file": name, "size": size, "sha256": digest.hexdigest()}]


def _new(path: Path) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags, 0o600), "wb")


def as_text(answer: dict[str, Any]) -> str:
    """What was done, for a person."""
    lines = [f"{answer['recording']} was exported as {answer['export']}; it is in the log."]
    lines += [f"{one['sha256']}  {one['file']} ({one['size']:,} bytes)" for one in answer["files"]]
    return "\n".join(lines)
