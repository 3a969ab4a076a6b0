"""One recorder worker: ``python -m recorder``. Started and restarted by ``avsession serve``.

It is given files and addresses, never a key that could open what it stores.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path

from avsession import logs
from avsession.config_processes import port_range
from avsession.errors import AvsessionError, Unavailable
from recorder.disk import Disk
from recorder.ports import PortLoop
from recorder.worker import TICK_S, Worker, WorkerConfig

TAKE_OVER_S = 10.0
"""How long a worker waits for the one before it to let the spool go."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m recorder", description="Run one recorder worker until SIGTERM."
    )
    made.add_argument("--url", required=True, help="wss://HOST/recorder of the server")
    made.add_argument("--worker", required=True, help="this worker's lasting identifier")
    made.add_argument("--credential", required=True, type=Path, help="file with its secret, 0600")
    made.add_argument("--grant-key", required=True, help="public key of grants, base64url")
    made.add_argument("--spool", required=True, type=Path, help="folder for segments, 0700")
    made.add_argument("--ca-file", type=Path, help="certificate authority of the server")
    made.add_argument("--capacity", type=int, default=16, help="recordings at once")
    made.add_argument("--min-free-mb", type=int, default=512, help="below it nothing starts")
    made.add_argument(
        "--ports", type=port_range, metavar="FIRST-LAST", help="UDP ports of the legs"
    )
    made.add_argument("--address", help="IP address under which browsers reach those ports")
    made.add_argument("--log-level", default="INFO", help="DEBUG, INFO, WARNING or ERROR")
    made.add_argument("--log-json", action="store_true", help="log lines as JSON")
    made.add_argument(
        "--stop-with-stdin", action="store_true", help="stop when standard input is closed"
    )
    return made


def main(
    config: WorkerConfig, disk: Disk | None = None, ports: tuple[int, int] | None = None
) -> None:
    """Run a worker until SIGTERM or SIGINT; its legs within ``ports``, both included."""
    # aioice and aiortc log addresses, which are personal data
    for name in ("aioice", "aiortc", "websockets"):
        logging.getLogger(name).setLevel(logging.WARNING)

    async def run() -> None:
        worker = await _take_over(config, disk)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        await worker.run()

    # what is loaded by now stays; frames come and go, and are in no cycles
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with asyncio.Runner(loop_factory=partial(PortLoop, *ports) if ports else None) as runner:
        runner.run(run())


async def _take_over(config: WorkerConfig, disk: Disk | None) -> Worker:
    """A worker, as soon as the one before it has let the spool go: it may still be finishing."""
    loop = asyncio.get_running_loop()
    until = loop.time() + TAKE_OVER_S
    while True:
        try:
            return Worker(config, disk=disk)
        except Unavailable:
            if loop.time() > until:
                raise
        await asyncio.sleep(TICK_S)


def _watch_stdin() -> None:
    """Whoever started us holds our standard input; when they are gone, so should we be."""
    # the bare descriptor: a buffered reader would hold its lock when the interpreter ends
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def run(arguments: list[str], disk: Disk | None = None) -> int:
    """Run a worker; the exit status. ``disk``: another than the usual one, for tests."""
    given = parser().parse_args(arguments)
    logs.configure(given.log_level, as_json=given.log_json)
    if given.stop_with_stdin:
        threading.Thread(target=_watch_stdin, daemon=True).start()
    try:
        main(
            WorkerConfig(
                url=given.url,
                worker=given.worker,
                credential=given.credential,
                grant_key=given.grant_key,
                spool=given.spool,
                ca_file=given.ca_file,
                capacity=given.capacity,
                min_free_bytes=given.min_free_mb * 1024 * 1024,
                address=given.address,
            ),
            disk,
            given.ports,
        )
    except AvsessionError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except asyncio.CancelledError:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
