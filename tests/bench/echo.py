"""The least that a signaling server could be: WebSockets over TLS that say back what they hear.

aiohttp, and nothing else, with a certificate of the same kind and the same interval of WebSocket
pings; the peer of `tests/bench/sizes.py`, which also measures it from here.

    python -m tests.bench.echo CERTIFICATE KEY
"""

from __future__ import annotations

import asyncio
import datetime
import ssl
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web
from websockets.asyncio.client import ClientConnection, connect

from avsession import keys
from avsession.tasks import Tasks
from tests.bench.processes import Stretch, pss_bytes

HEARTBEAT_S = 5.0
AT_ONCE = 8
PING = '{"type":"ping"}'


@dataclass(frozen=True)
class Echoed:
    """What was found, a connection."""

    making_ms: float
    """CPU to make it: TCP, TLS, the upgrade."""
    ms_a_second: float
    """CPU while it is there."""
    held_bytes: float


async def measure(folder: Path, connections: int, every_s: float, window_s: float) -> Echoed:
    """So many connections, each saying a ping every so often and waiting for it to come back.

    Raises RuntimeError when one does not.
    """
    made = keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))
    certificate, key, authority = made
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.echo", str(certificate), str(key),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdin is not None
    address = f"wss://localhost:{int(await process.stdout.readline())}/"
    tls = ssl.create_default_context(cafile=authority)
    tasks, failed = Tasks(limit=10_000), asyncio.Event()
    try:
        async with AsyncExitStack() as stack:
            base, making = pss_bytes(process.pid), Stretch(echo=process.pid)
            gate = asyncio.Semaphore(AT_ONCE)

            async def one() -> ClientConnection:
                async with gate:
                    return await stack.enter_async_context(
                        connect(address, ssl=tls, compression=None, proxy=None, ping_interval=None)
                    )

            async def pulse(socket: ClientConnection, wait_s: float) -> None:
                await asyncio.sleep(wait_s)
                try:
                    while True:
                        await socket.send(PING)
                        async with asyncio.timeout(10):
                            await socket.recv()
                        await asyncio.sleep(every_s)
                except Exception:
                    failed.set()
                    raise

            sockets = await asyncio.gather(*(one() for _ in range(connections)))
            making.end()
            for number, socket in enumerate(sockets):
                tasks.spawn(pulse(socket, number * 0.618 % 1 * every_s), name="pulse")
            await asyncio.sleep(every_s)
            window = Stretch(echo=process.pid)
            await asyncio.sleep(window_s)
            window.end()
            held = pss_bytes(process.pid) - base
            await tasks.close()
    finally:
        process.stdin.close()
        await process.wait()
    if failed.is_set():
        raise RuntimeError("the peer did not answer")
    return Echoed(
        making.cpu_s["echo"] / connections * 1000,
        window.share("echo") / connections * 1000,
        held / connections,
    )


async def echo(request: web.Request) -> web.WebSocketResponse:
    """One connection."""
    socket = web.WebSocketResponse(heartbeat=HEARTBEAT_S, compress=False)
    await socket.prepare(request)
    async for message in socket:
        await socket.send_str(message.data)
    return socket


async def main(certificate: str, key: str) -> None:
    """Listen, print the port, and go on until standard input ends."""
    app = web.Application()
    app.router.add_get("/", echo)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "localhost", 0, ssl_context=tls, backlog=1024)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
