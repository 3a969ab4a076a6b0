"""GUIDE.md can be followed: its commands, settings, files and units exist, and its way without
containers ends in a service that is ready."""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from pathlib import Path

import pytest

from avsession.__main__ import parser
from avsession.config import PREFIX, Settings, load
from tests.support import compose, guide
from tests.test_readme import commands as every_command

SECTION = "Without containers, on Debian 12"
OWN = {
    "name": "calls.example.com",
    "turn": "turn.example.com",
    "address": guide.ADDRESS,
    "company": "Example Support Ltd of ours",
    "postal": "2 Example Street",
    "contact": "privacy@example.org",
    "officer": "dpo@example.org",
}
"""What step 1 has one change."""
TEXT = guide.FILE.read_text("utf-8")
COMMANDS = [words for block in guide.blocks(TEXT) for words in guide.lines(block)]
OURS = ("avsession-web", "avsession-recorder", "avsession-custody")
FOLDERS = re.compile(r"/(?:var/lib|etc|opt|run)/avsession[\w./-]*")


# --- what it names exists


def ours(words: list[str]) -> list[str]:
    """What is said to ``avsession`` in a command; none where it is not called."""
    if words[:2] == ["docker", "compose"]:
        rest = words[2:]
        service = next((word for word in rest if word in compose.raw()["services"]), None)
        if rest[0] == "exec" and "avsession" in rest:
            return rest[rest.index("avsession") + 1 :]
        if rest[0] == "run" and service and "--entrypoint" not in rest:
            return rest[rest.index(service) + 1 :]
        return []
    called = [at for at, word in enumerate(words) if word == "avsession"]
    if words[0] in ("avsession", "runuser") and called:
        return words[called[-1] + 1 :] if words[0] == "runuser" else words[1:]
    return []


def test_every_avsession_command_is_one() -> None:
    found = [said for words in COMMANDS if (said := ours(words))]
    assert len(found) > 15
    for said in found:
        parser().parse_args(said)
    there = set(every_command(parser()))
    for code in re.findall(r"`((?:docker|avsession|runuser) [^`]+)`", TEXT):
        said = ours(shlex.split(code))
        if said and "…" not in said:  # which stands for any
            assert {" ".join(said[:2]), said[0]} & there, code


def test_every_service_is_one() -> None:
    there = set(compose.raw()["services"])
    named = set()
    for code in re.findall(r"docker compose ([^`\n#;&|]+)", TEXT):
        verb, *rest = code.replace("…", "").rstrip(", ").split()
        assert verb in {"exec", "run", "stop", "logs", "ps", "cp", "up", "down"}, code
        words = iter(rest)
        for word in words:
            if word in ("--volume", "--entrypoint"):
                next(words)
            elif not word.startswith("-"):
                named.add(word.partition(":")[0])
                break
    assert named == {"web", "recorder", "custody", "database", "proxy", "turn"}
    assert named <= there


def test_variables_are_those_of_the_compose_file() -> None:
    block = next(block for block in guide.blocks(TEXT) if block.startswith("PUBLIC_HOST="))
    assert set(re.findall(r"^(\w+)=", block, re.MULTILINE)) == compose.required()
    named = set(re.findall(rf"{PREFIX}[A-Z][A-Z_]*", TEXT))
    assert len(named) >= 3
    for name in named:
        found: object = Settings()
        for part in name.removeprefix(PREFIX).lower().split("__"):
            found = getattr(found, part)


# --- the way without containers: settings, units and folders fit together


def written(name: str) -> Settings:
    """A settings file of step 4, its variables filled in."""
    found = guide.files(guide.section(SECTION))[f"/etc/avsession/{name}.toml"]
    for variable, value in {**OWN, "(id -u avsession)": "999"}.items():
        found = found.replace(f"${variable}", value)
    assert "$" not in found
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(found)
        file.flush()
        return load(Path(file.name), {})


def unit(name: str) -> dict[str, str]:
    """The lines of a unit; of those that stand more than once all words."""
    found: dict[str, str] = {}
    for line in (guide.UNITS / f"{name}.service").read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found[key] = f"{found.get(key, '')} {value}".strip()
    return found


def test_the_settings_fit_together_and_to_the_containers() -> None:
    web, recorder, custody = written("web"), written("recorder"), written("custody")
    assert recorder.recorder.url == f"wss://{web.public_host}/recorder"
    assert recorder.recorder.access == web.recorder.access
    assert recorder.recorder.spool == web.recorder.spool
    assert custody.custody.socket == web.custody.socket
    assert (web.recorders, web.proxy.plain, web.listen) == (0, True, web.proxy.trusted[0])
    services = compose.read(dict.fromkeys(compose.required(), "x"))["services"]
    environ = services["recorder"]["environment"]
    assert recorder.recorder.ports == environ[f"{PREFIX}RECORDER__PORTS"]
    turn = services["turn-config"]["environment"]
    assert str(web.turn.min_port) == turn[f"{PREFIX}TURN__MIN_PORT"]
    assert str(web.turn.max_port) == turn[f"{PREFIX}TURN__MAX_PORT"]
    assert str(web.turn.total_quota) == turn[f"{PREFIX}TURN__TOTAL_QUOTA"]


@pytest.mark.parametrize("name", OURS)
def test_a_unit_starts_what_exists_as_a_user_that_the_guide_makes(name: str) -> None:
    found = unit(name)
    made = {words[-1] for words in COMMANDS if words[0] == "useradd"}
    assert found["User"] in made
    assert found["Group"] == "avsession"
    program, *said = found["ExecStart"].split()
    assert program == "/opt/avsession/bin/avsession"
    given = parser().parse_args(said)
    assert str(given.config) in guide.files(guide.section(SECTION))
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "CapabilityBoundingSet="):
        key, _, value = line.partition("=")
        assert found[key] == value
    folders = {word for words in COMMANDS if words[0] == "install" for word in words[1:]}
    assert set(found["ReadWritePaths"].split()) <= folders


def test_who_sees_what() -> None:
    """What docker-compose.yml keeps apart by volumes the units keep apart by paths."""
    recorder, web, custody = unit(OURS[1]), unit(OURS[0]), unit(OURS[2])
    settings = written("web")
    hidden = {path.removeprefix("-") for path in recorder["InaccessiblePaths"].split()}
    assert {settings.data, "/var/lib/avsession-custody", "/etc/avsession/web.toml"} <= hidden
    assert {str(Path(settings.custody.socket or "").parent), settings.turn.secret_file} <= hidden
    assert recorder["ReadWritePaths"] == settings.recorder.spool
    assert web["InaccessiblePaths"] == custody["ReadWritePaths"] == "/var/lib/avsession-custody"
    assert (custody["User"], custody["PrivateNetwork"]) == ("avsession-custody", "yes")
    assert f"/run/{custody['RuntimeDirectory']}/socket" == settings.custody.socket


# --- and it can be followed


CONNECTED = """
for _ in {1..60}; do
    curl --silent http://127.0.0.1:8443/metrics | grep --quiet 'recorder_workers 1' && break
    sleep 0.5
done
"""
"""What a person waits for before the last step: a worker that has found the server."""


@pytest.mark.timeout(240)
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a machine of its own")
def test_the_way_without_containers(tmp_path: Path) -> None:
    """Each of its lines, on a machine that nobody has prepared, to a service that takes calls."""
    first, *others, last = guide.blocks(guide.section(SECTION))
    assert re.findall(r"^(\w+)=", first, re.MULTILINE) == list(OWN)
    own = "".join(f"{name}={shlex.quote(value)}\n" for name, value in OWN.items())
    script = "\n".join((own, *others))
    created = re.compile(r"(avsession (?:admin|agent) create .*)$", re.MULTILINE)
    script, count = created.subn(r'\1 --password-stdin <<< "a long enough password"', script)
    assert count == 2
    done = guide.walk(f"{script}\n{CONNECTED}\n{last}", tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert "\nbad " not in said
    for found in ("ok   keys", "ok   database", "ok   reachability", "ok   turn", "custody ready"):
        assert found in said, said
    assert done.stdout.endswith("avsession_recorder_workers 1\n")
    assert "not let in" not in said
