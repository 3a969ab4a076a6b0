"""The services of docker-compose.yml as plain processes: the file's own commands, users, settings.

What a container would give is stood in for here, and all of it stands here: a volume is a folder
with the owner and mode that the Dockerfile gives it; paths, names and ports of the file become some
of this machine's (`Machine.here`). Networks, limits and read-only roots are the engine's own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support import compose
from tests.support.ports import free_port
from tests.support.postgres import programs

AS_USER = Path(__file__).with_name("as_user.py")
NAME = "calls.test"
START_S, STOP_S = 120, 40


class Machine:
    """Every service of the file, started in its order. Needs root, to become their users."""

    def __init__(
        self, place: Path, given: Mapping[str, str], certificate: Mapping[str, Path]
    ) -> None:
        """``place``: a folder that every user may walk through. ``certificate``: its PEM files,
        and that of its authority, by ``certificate``, ``certificate_key`` and ``ca``."""
        self.place, self.certificate = place, certificate
        self.services: dict[str, Any] = compose.read(given)["services"]
        self.running: dict[str, asyncio.subprocess.Process] = {}
        self.port = {name: free_port() for name in ("proxy", "web", "database", "turn")}
        self._paths: dict[str, str] = {}
        for path, folder in compose.folders().items():
            self._folder(path, folder.user, folder.group, folder.mode)
        self._folder("/var/lib/postgresql/data", *self.user("database"), 0o700)
        self._folder("/var/run/postgresql", *self.user("database"), 0o755)
        self._folder("/run/secrets", 0, 0, 0o711)
        self._folder("/tmp", 0, 0, 0o1777)
        self._folder("/etc/nginx", 0, 0, 0o755)

    def _folder(self, path: str, user: int, group: int, mode: int) -> None:
        folder = self.place / path.strip("/").replace("/", "_")
        folder.mkdir()
        os.chown(folder, user, group)
        folder.chmod(mode)
        self._paths[path] = str(folder)

    def user(self, service: str) -> tuple[int, int]:
        """The user and group of a service's processes.

        PostgreSQL asks for its user's name, which 999 has in its image alone: here it is Debian's.
        """
        if service == "database":
            entry = pwd.getpwnam("postgres")
            return entry.pw_uid, entry.pw_gid
        return compose.user_of(self.services[service])

    @property
    def url(self) -> str:
        """The public address."""
        return f"https://{NAME}:{self.port['proxy']}"

    def folder(self, path: str) -> Path:
        """What is mounted there."""
        return Path(self._paths[path])

    def here(self, text: str) -> str:
        """The same on this machine: paths, names and ports."""
        for what, instead in (
            (f"wss://{NAME}", f"wss://localhost:{self.port['proxy']}"),
            (f"https://{NAME}", self.url),
            ("listen 443 ssl", f"listen 127.0.0.1:{self.port['proxy']} ssl"),
            ("https://127.0.0.1/", f"https://127.0.0.1:{self.port['proxy']}/"),
            ("http://web:8443", f"http://127.0.0.1:{self.port['web']}"),
            ("http://127.0.0.1:8443", f"http://127.0.0.1:{self.port['web']}"),
            ("@database/", f"@127.0.0.1:{self.port['database']}/"),
            ("172.31.90.2", "127.0.0.1"),
        ):
            text = text.replace(what, instead)
        text = re.sub(r"\b3478\b", str(self.port["turn"]), text)
        paths = "|".join(map(re.escape, sorted(self._paths, key=len, reverse=True)))
        # a whole path, or the beginning of one: /data is not in /var/lib/postgresql/data
        return re.sub(rf"(?<![\w.-])({paths})(?![\w-])", lambda found: self._paths[found[1]], text)

    def environ(self, service: str) -> dict[str, str]:
        """The settings of a service, here."""
        given = {name: self.here(v) for name, v in self.services[service]["environment"].items()}
        if "AVSESSION_PORT" in given:
            given["AVSESSION_PORT"] = str(self.port["web"])
        if "AVSESSION_TURN__URLS" in given or service == "turn-config":
            # its public address is loopback here, where it refuses to relay to otherwise
            given["AVSESSION_TURN__ALLOWED_PEERS"] = '["127.0.0.1"]'
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(compose.ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            # a certificate that no public authority signed
            "SSL_CERT_FILE": str(self.certificate["ca"]),
            **given,
        }

    # --- what an operator puts there

    def secrets(self) -> None:
        """The files of GUIDE.md, each for the user who reads it."""
        password = secrets.token_hex(32)
        web, proxy, database = self.user("web"), self.user("proxy"), self.user("database")
        for name, text, owner in (
            ("certificate", self.certificate["certificate"].read_text(), proxy),
            ("certificate_key", self.certificate["certificate_key"].read_text(), proxy),
            ("database_password", password, database),
            ("database_passfile", f"*:*:*:avsession:{password}\n", web),
            ("turn_secret", secrets.token_hex(32) + "\n", web),
        ):
            file = self.folder("/run/secrets") / name
            file.write_text(text)
            os.chown(file, *owner)
            file.chmod(0o400 if name != "database_passfile" else 0o600)
        conf = self.folder("/etc/nginx") / "nginx.conf"
        conf.write_text(self.here((compose.ROOT / "web" / "nginx.conf").read_text("utf-8")))
        conf.chmod(0o644)

    # --- processes

    def log(self, service: str) -> str:
        """What a service has said."""
        return (self.place / f"{service}.log").read_text("utf-8", "replace")

    def line(
        self, service: str, command: list[str] | None = None
    ) -> tuple[list[str], dict[str, Any]]:
        """The command line of a service (or of another command in its container), and its user."""
        given = [self.here(part) for part in command or self.services[service]["command"]]
        user, group = self.user(service)
        if service in ("proxy", "database", "turn"):
            return given, {"user": user, "group": group, "extra_groups": [], "cwd": "/"}
        if given[0] == "avsession":
            given = given[1:]
        line = [sys.executable, str(AS_USER), str(user), str(group), "avsession.__main__", *given]
        return line, {}

    async def up(self) -> None:
        """Start everything, each service once those that it depends on are there."""
        there = {name: asyncio.Event() for name in self.services}

        async def one(name: str) -> None:
            for before in self.services[name].get("depends_on", {}):
                await there[before].wait()
            await self.start(name)
            there[name].set()

        async with asyncio.TaskGroup() as group:
            for name in self.services:
                group.create_task(one(name))

    async def start(self, service: str) -> None:
        """Start a service, and wait until it is healthy or, if it ends by itself, has ended."""
        if service == "database":
            await self._initialise()
        line, options = self.line(service)
        if service == "database":
            line += self._database_options()
        if service == "turn":
            line.append("--allow-loopback-peers")
        path = self.place / f"{service}.log"
        path.touch()
        path.chmod(0o666)  # nginx opens its own standard error anew
        with path.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *line, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                env=self._environ_of(service), **options,
            )  # fmt: skip
        if "healthcheck" not in self.services[service]:
            assert await process.wait() == 0, self.log(service)
            return
        self.running[service] = process
        try:
            async with asyncio.timeout(START_S):
                while not await self.healthy(service):
                    assert process.returncode is None, self.log(service)
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"{service} is not healthy:\n{self.log(service)}") from None

    def _environ_of(self, service: str) -> dict[str, str]:
        if service in ("proxy", "turn"):
            return {"PATH": os.environ["PATH"]}
        return self.environ(service)

    async def healthy(self, service: str) -> bool:
        """Whether the service's own health check says so."""
        check = self.services[service]["healthcheck"]
        kind, *command = check["test"]
        options: dict[str, Any] = {}
        assert kind == "CMD"
        if command[0] == "python":
            line = [sys.executable, *map(self.here, command[1:])]
        elif service == "database":
            line = [*self.line(service, command)[0], "--port", str(self.port["database"])]
            line[0] = str(programs() / line[0])
        else:
            line, options = self.line(service, command)
        assert shutil.which(line[0]), f"{line[0]} is not here"
        process = await asyncio.create_subprocess_exec(
            *line, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            env=self._environ_of(service), **options,
        )  # fmt: skip
        try:
            async with asyncio.timeout(int(check["timeout"].removesuffix("s"))):
                return await process.wait() == 0
        except TimeoutError:
            process.kill()
            await process.wait()
            return False

    async def run(self, service: str, *command: str, said: str = "") -> str:
        """``docker compose exec SERVICE avsession …``; what it printed."""
        line, options = self.line(service, list(command))
        process = await asyncio.create_subprocess_exec(
            *line, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, env=self._environ_of(service), **options,
        )  # fmt: skip
        out, errors = await process.communicate(said.encode())
        assert process.returncode == 0, (out + errors).decode()
        return out.decode()

    async def stop(self, service: str) -> int:
        """``docker compose stop``; the exit status."""
        process = self.running.pop(service)
        with contextlib.suppress(ProcessLookupError):
            # as the image says: PostgreSQL's is SIGINT, which ends its connections
            process.send_signal(signal.SIGINT if service == "database" else signal.SIGTERM)
        async with asyncio.timeout(STOP_S):
            return await process.wait()

    async def close(self) -> None:
        """End what runs, the last started first."""
        for service in reversed(list(self.running)):
            await self.stop(service)

    # --- what PostgreSQL's image does before its command

    async def _initialise(self) -> None:
        user, group = self.user("database")
        given = self.environ("database")
        data = self.folder("/var/lib/postgresql/data")
        process = await asyncio.create_subprocess_exec(
            str(programs() / "initdb"), "--pgdata", str(data),
            "--username", given["POSTGRES_USER"], "--pwfile", given["POSTGRES_PASSWORD_FILE"],
            "--no-sync", *given["POSTGRES_INITDB_ARGS"].split(),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            user=user, group=group, extra_groups=[], cwd="/",
        )  # fmt: skip
        assert await process.wait() == 0
        single = await asyncio.create_subprocess_exec(
            str(programs() / "postgres"), "--single", "-D", str(data), "postgres",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            user=user, group=group, extra_groups=[], cwd="/",
        )  # fmt: skip
        await single.communicate(f"CREATE DATABASE {given['POSTGRES_DB']}\n".encode())
        assert single.returncode == 0

    def _database_options(self) -> list[str]:
        return [
            *("-D", self._paths["/var/lib/postgresql/data"]),
            *("-c", f"port={self.port['database']}", "-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={self._paths['/var/run/postgresql']}"),
        ]
