"""The ``avsession`` command. Exit status: 0 done, 1 found wrong, 2 used wrong."""

from __future__ import annotations

import argparse
import asyncio
import getpass
import json
import os
import socket
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from avsession import (
    __version__,
    auditing,
    backing,
    config,
    custody,
    doctor,
    exporting,
    keys,
    logs,
    moving,
    proving,
    recorders,
    relaying,
    retaining,
    telling,
    verify_receipt,
)
from avsession.config import Settings
from avsession.errors import AvsessionError, LogBroken, SettingsInvalid
from avsession.serve import Files, close_store, open_services, serve
from avsession.usecases import accounts, delivering, leaving
from signaling.hub import Hub
from web import oidc

FOUND_WRONG, USED_WRONG = 1, 2


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="avsession",
        description="Face-to-face support calls, recorded only after everyone said yes.",
    )
    made.add_argument("--version", action="version", version=__version__)
    commands = made.add_subparsers(dest="command", required=True, metavar="COMMAND")
    one = _command(commands, "serve", "run everything", "avsession serve --port 8443 --data ./data")
    one.add_argument("--port", type=int, help="TLS port (0: a free one)")
    about = "wait while another server runs on the database (PostgreSQL); then take over from it"
    one.add_argument("--standby", action="store_true", help=about)
    for role in ("admin", "agent"):
        group = commands.add_parser(role, help=f"{role}s' accounts").add_subparsers(
            dest="action", required=True, metavar="ACTION"
        )
        make = _command(
            group,
            "create",
            f"make an {role}'s account",
            f"avsession {role} create --login ann --name 'Ann Lee'",
        )
        make.add_argument("--login", required=True, help="what to sign in with")
        make.add_argument("--name", required=True, help="what others see")
        make.add_argument(
            "--password-stdin",
            action="store_true",
            help="read the password from standard input instead of asking for it",
        )
        out = _command(
            group,
            "disable",
            f"disable an {role}'s account: its sign-ins and calls end at once",
            f"avsession {role} disable --login ann",
        )
        out.add_argument("--login", required=True, help="whose account")
    group = commands.add_parser("keys", help="this server's keys").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    _command(group, "show", "print the public halves", "avsession keys show --json")
    _custody(commands)
    _recorder(commands)
    auditing.add(commands, _command)
    doctor.add(commands, _command)
    _recording(commands)
    _retention(commands)
    relaying.add(commands, _command)
    backing.add(commands, _command)
    _webhooks(commands)
    moving.add(commands, _command)
    verify_receipt.add(commands)
    return made


def _custody(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``avsession custody …``."""
    group = commands.add_parser("custody", help="the keys' own process").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    _command(
        group,
        "run",
        "hold the keys in a process of its own, as another user than the server's",
        "avsession custody run --config custody.toml",
    )
    _command(
        group, "check", "whether that process takes questions", "avsession custody check --json"
    )
    about = "give the custodian a new key, while neither server nor custody runs"
    _command(group, "rotate", about, "avsession custody rotate --json")


def _recorder(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``avsession recorder …``."""
    group = commands.add_parser("recorder", help="recorder workers").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    _command(
        group,
        "run",
        "run one recorder worker by itself, beside a server that starts none",
        "avsession recorder run --config recorder.toml",
    )
    _command(
        group,
        "check",
        "whether a worker runs here and has its spool",
        "avsession recorder check --config recorder.toml",
    )


def _recording(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``avsession recording …``."""
    group = commands.add_parser("recording", help="recordings").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    one = _command(
        group,
        "verify",
        "prove that what is stored lies inside consent; opens nothing, changes nothing",
        "avsession recording verify --all",
    )
    which = one.add_mutually_exclusive_group(required=True)
    which.add_argument("recording", nargs="?", metavar="ID", help="the recording")
    which.add_argument("--all", action="store_true", help="every recording there is or was")
    one = _command(
        group,
        "export",
        "take a recording out: written into the log first, and told to the people in it",
        "avsession recording export rec_… --login ann --purpose quality "
        "--reason 'training of 3 May' --to ./training",
    )
    exporting.add_arguments(one)


def _retention(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``avsession retention …``."""
    group = commands.add_parser("retention", help="what is kept no longer").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    one = _command(
        group,
        "run",
        "destroy, anonymise and remove what is over its time; a running server does so by itself",
        "avsession retention run --dry-run",
    )
    one.add_argument(
        "--dry-run", action="store_true", help="change nothing; name exactly what would go"
    )


def _webhooks(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """``avsession webhooks …``."""
    group = commands.add_parser("webhooks", help="telling other systems").add_subparsers(
        dest="action", required=True, metavar="ACTION"
    )
    for action, what, example in (
        ("list", "what was told, the newest first, and to whom", "list --state dead"),
        ("replay", "have it sent again by the running server", "replay --dead crm"),
        ("test", "send an endpoint a message about nothing, now", "test crm"),
    ):
        telling.add_arguments(
            _command(group, action, what, f"avsession webhooks {example}"), action
        )


def _command(
    group: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    one = group.add_parser(name, help=what, description=what, epilog=f"example: {example}")
    one.add_argument("--config", type=Path, help="settings file (TOML)")
    one.add_argument("--data", help="data folder of the service (default: ./data)")
    one.add_argument("--json", action="store_true", help="print JSON")
    return one


def settings_of(given: argparse.Namespace) -> Settings:
    """Settings from file, environment and command line. The environment is read here only."""
    path = given.config or os.environ.get(f"{config.PREFIX}CONFIG")
    port = getattr(given, "port", None)
    if port == 0:
        with socket.create_server(("localhost", 0)) as probe:
            port = probe.getsockname()[1]
    file = Path(path) if path else None
    said: dict[str, Any] = {"data": given.data, "port": port}
    said["standby"] = getattr(given, "standby", False) or None
    settings = config.load(file, os.environ, **said)
    if settings.public_url == Settings().public_url and settings.port != Settings().port:
        address = f"https://localhost:{settings.port}"
        settings = config.load(file, os.environ, **said, public_url=address)
    return settings


async def _create(given: argparse.Namespace, settings: Settings, password: str) -> dict[str, str]:
    files = Files.of(settings)
    if not files.root.exists():  # before a service's first start, or in the wrong place
        print(
            f"{files.root} is made, for a new service. If yours has its data elsewhere, name it "
            "with --data or --config.",
            file=sys.stderr,
        )
    app = await open_services(settings, files, Hub())
    try:
        account = await accounts.create_account(
            app, given.login, given.name, given.command, password
        )
    finally:
        await close_store(app)
    return {"account": account.id, "login": account.login, "role": account.role}


async def _disable(given: argparse.Namespace, settings: Settings) -> dict[str, str]:
    app = await open_services(settings, Files.of(settings), Hub())
    try:
        account = await leaving.of_login(app, given.login, given.command)
        done = await leaving.disable(app, None, account)
    finally:
        await close_store(app)
    return {"account": done["account"], "role": done["role"], "disabled": "yes"}


def _password(given: argparse.Namespace) -> str:
    if given.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if first != getpass.getpass("Again: "):
        raise SettingsInvalid("The two passwords differ.")
    return first


def _show_keys(settings: Settings) -> dict[str, str]:
    files = auditing.there(settings)
    log = asyncio.run(auditing.key_of(settings))
    custodian = asyncio.run(custody.recipient_of(settings, files.custody, log))
    grant = keys.signing_key(files.keys / "grant.key").public_key().public_bytes_raw().hex()
    return {"log": log.text, "custodian": custodian, "grant": grant}


def _answer(given: argparse.Namespace, settings: Settings) -> dict[str, str]:
    """What the other commands did, name by name."""
    if given.command == "keys":
        return _show_keys(settings)
    if given.command == "turn":
        return relaying.write(settings, given.to)
    if given.command == "recorder":
        return {"recorder": recorders.check(settings)}
    if given.command == "custody" and given.action == "rotate":
        return asyncio.run(custody.rotate(settings, auditing.Bar(sys.stderr, "keys"))).told
    if given.command == "custody":
        asyncio.run(custody.check(settings))
        return {"custody": "ready"}
    if given.command == "audit":
        return asyncio.run(auditing.adopt(settings, given.reason))
    if given.action == "disable":
        return asyncio.run(_disable(given, settings))
    return asyncio.run(_create(given, settings, _password(given)))


def _found(given: argparse.Namespace, settings: Settings) -> tuple[bool, str] | None:
    """What the commands that check or report came to, and whether it holds; None: another one."""
    match given.command, given.action:
        case "audit", "verify":
            report, key = asyncio.run(auditing.verify(settings, given.since))
            if given.json:
                return report.ok, auditing.as_json(report, key)
            since = given.since is not None
            return report.ok, auditing.as_text(report, key, since=since)
        case "recording", "export":
            done = asyncio.run(exporting.export(settings, given))
            return True, json.dumps(done) if given.json else exporting.as_text(done)
        case "turn", _ if given.to is None:
            text = relaying.config(settings)
            return True, json.dumps({"config": text}) if given.json else text.rstrip()
        case "recording", _:
            proven = asyncio.run(proving.verify(settings, given.recording))
            return proven.ok, (proving.as_json if given.json else proving.as_text)(proven)
        case "retention", _:
            gone = asyncio.run(retaining.run(settings, dry=given.dry_run))
            say = retaining.as_json if given.json else retaining.as_text
            return not retaining.failed(gone), say(gone, dry=given.dry_run)
        case "backup", _:
            made = asyncio.run(backing.run(settings, given))
            return made["ok"], json.dumps(made) if given.json else backing.as_text(made)
        case "db", _:
            well, done = asyncio.run(moving.run(settings, given))
            return well, (moving.as_json if given.json else moving.as_text)(done)
        case "webhooks", _:
            well, done = asyncio.run(telling.run(settings, given))
            return well, (telling.as_json if given.json else telling.as_text)(done)
    return None


def _process(given: argparse.Namespace, settings: Settings) -> Coroutine[Any, Any, None] | None:
    """What runs until it is told to stop; None: another command."""
    match given.command, getattr(given, "action", None):
        case "serve", _:
            return serve(settings)
        case "custody", "run":
            return custody.run(settings)
        case "recorder", "run":
            recorders.run(settings)
    return None


def _doctor(given: argparse.Namespace) -> tuple[bool, str]:
    """What the doctor finds; settings, or secrets they name, that cannot be read are one, too."""
    try:
        settings = settings_of(given)
        delivering.check(settings)
        oidc.check(settings.company)
    except SettingsInvalid as error:
        found = doctor.unreadable(error)
    else:
        logs.configure("ERROR", as_json=settings.log_json)
        found = asyncio.run(doctor.examine(settings))
    return doctor.holds(found), (doctor.as_json if given.json else doctor.as_text)(found)


def _said(found: tuple[bool, str]) -> int:
    """Print what a check found; the exit status that says whether it holds."""
    holds, text = found
    print(text)
    return 0 if holds else FOUND_WRONG


def run(arguments: list[str]) -> int:
    """Run one command; the exit status."""
    given = parser().parse_args(arguments)
    try:
        if given.command == "receipt":  # needs no settings: it works anywhere
            return _said(verify_receipt.run(given))
        if given.command == "doctor":
            return _said(_doctor(given))
        settings = settings_of(given)
        logs.configure(settings.log_level, as_json=settings.log_json)
        if (running := _process(given, settings)) is not None:
            asyncio.run(running)
            return 0
        if (found := _found(given, settings)) is not None:
            return _said(found)
        answer = _answer(given, settings)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return USED_WRONG
    except LogBroken as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        print("REFERENCE.md says what to do, under 'When the log is refused'.", file=sys.stderr)
        return FOUND_WRONG
    except AvsessionError as error:
        print(error, file=sys.stderr)
        return FOUND_WRONG
    except (EOFError, KeyboardInterrupt):
        print("Nothing was changed.", file=sys.stderr)
        return USED_WRONG
    except OSError as error:
        print(f"The system refused: {error}", file=sys.stderr)
        return FOUND_WRONG
    if given.json:
        print(json.dumps(answer))
    else:
        print("\n".join(f"{key} {value}" for key, value in answer.items()))
    return 0


def main() -> None:
    """Entry point of the ``avsession`` script."""
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
