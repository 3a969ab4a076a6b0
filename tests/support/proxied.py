"""A real nginx in front of servers, with the configuration that PROXY.md gives."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.browser.product import until

DOCUMENT = Path(__file__).parents[2] / "web" / "PROXY.md"


def blocks() -> list[str]:
    """The document's blocks for nginx: one server, two of them, and what that changes."""
    return re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)


def changed(text: str, *pairs: tuple[str, str]) -> str:
    """``text`` with each first thing, which must be there, in place of which is the second."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def for_two(port: int, first: int, second: int, keys: Path) -> str:
    """The configuration for two servers on this machine, on the whole host."""
    one, both, inside = blocks()
    site = changed(
        one,
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("www.example.com", "localhost"),
        ("/calls/", "/"),
        ("/etc/nginx/fullchain.pem", str(keys / "server.pem")),
        ("/etc/nginx/key.pem", str(keys / "server.key")),
        ("        proxy_pass http://127.0.0.1:8443;\n", inside),
    )
    upstream = changed(
        both, ("192.0.2.10:8443", f"127.0.0.1:{first}"), ("192.0.2.11:8443", f"127.0.0.1:{second}")
    )
    return upstream + site


@asynccontextmanager
async def proxy(folder: Path, port: int, said: str) -> AsyncIterator[None]:
    """An nginx of our own, which writes into ``folder`` alone; ended by its own process."""
    folder.mkdir(mode=0o755)
    places = "".join(
        f"{name}_temp_path {folder}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = folder / "nginx.conf"
    file.write_text(
        f"daemon off;\nworker_processes 1;\npid {folder}/pid;\nerror_log {folder}/error info;\n"
        f"events {{}}\nhttp {{\n{places}access_log {folder}/access;\n{said}}}\n"
    )
    process = await asyncio.create_subprocess_exec(
        *("nginx", "-c", str(file), "-p", str(folder), "-e", str(folder / "error"))
    )
    try:

        def listens() -> bool:
            assert process.returncode is None, (folder / "error").read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        await until("nginx listens", listens)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
