"""The command ``avsession receipt verify``: what came of each step, for people or for scripts."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import msgspec

from avsession.audit import checkpoint, receipt
from avsession.audit.checkpoint import VerifierKey
from avsession.errors import CheckpointInvalid, SettingsInvalid

MARKS = {True: "ok   ", False: "WRONG", None: "-    "}
MAX_KEY = 1024
"""Characters of a key's file."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The command's arguments."""
    group = commands.add_parser("receipt", help="parties' receipts").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    what = "check a receipt step by step, offline"
    one = group.add_parser(
        "verify",
        help=what,
        description=f"{what}. Exit status 0: it holds; 1: something is wrong; 2: not readable.",
        epilog="example: avsession receipt verify receipt.html --key log.key",
    )
    one.add_argument("file", type=Path, metavar="FILE", help="the receipt, as it was saved")
    one.add_argument(
        "--key",
        help="the log's public key (name+id+key), or a file that holds it; see avsession keys show",
    )
    one.add_argument("--json", action="store_true", help="print JSON")


def run(given: argparse.Namespace) -> tuple[bool, str]:
    """Whether the receipt holds, and what to print.

    Raises SettingsInvalid when the file cannot be read or the key is none.
    """
    try:
        with given.file.open("rb") as file:
            data = file.read(receipt.MAX_RECEIPT + 1)
    except OSError as error:
        raise SettingsInvalid(f"{given.file}: {error.strerror or error}") from error
    verdict = receipt.verify(data, None if given.key is None else _key(given.key))
    if given.json:
        found = {"holds": verdict.holds, "steps": msgspec.to_builtins(verdict.steps)}
        return verdict.holds, json.dumps(found)
    lines = [f"{s.number}. {MARKS[s.holds]} {s.name}: {s.detail}" for s in verdict.steps]
    lines.append("The receipt holds." if verdict.holds else "The receipt does NOT hold.")
    return verdict.holds, "\n".join(lines)


def _key(text: str) -> VerifierKey:
    if not text.strip():
        raise SettingsInvalid(
            "--key: it is empty. Give the log's public key (name+id+key), or a file that holds it; "
            "without --key the key inside the receipt is used, which shows less."
        )
    try:
        if "+" not in text or Path(text).is_file():
            with Path(text).open(encoding="utf-8") as file:
                text = file.read(MAX_KEY)
    except (OSError, ValueError) as error:
        said = text[:MAX_KEY]
        raise SettingsInvalid(f"--key: {said} is neither a key nor a file of one.") from error
    try:
        return checkpoint.parse_key(text)
    except CheckpointInvalid as error:
        raise SettingsInvalid(f"--key: {error}") from error
