"""Janus, started with a configuration of its own in a folder of its own, and spoken to by a socket.

Video room, ``record=true``: each publisher's packets go, decrypted, into .mjr files. Nothing else
is switched on; the control interface is a Unix socket, the media ports are on one address.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import struct
import time
from pathlib import Path
from typing import Any

from recorder import rtp, vp8

LIBRARIES = Path("/usr/lib/x86_64-linux-gnu/janus")
ROOM = 4711

_CORE = """
general: {{
  configs_folder = "{folder}"
  plugins_folder = "{libraries}/plugins"
  transports_folder = "{libraries}/transports"
  events_folder = "{libraries}/events"
  loggers_folder = "{libraries}/loggers"
  debug_level = 3
  session_timeout = 0
}}
media: {{ ipv6 = false }}
nat: {{ {nat} }}
plugins: {{ disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,\
libjanus_lua.so,libjanus_nosip.so,libjanus_recordplay.so,libjanus_sip.so,libjanus_streaming.so,\
libjanus_textroom.so,libjanus_videocall.so,libjanus_voicemail.so" }}
transports: {{ disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,\
libjanus_rabbitmq.so,libjanus_websockets.so" }}
"""
_SOCKET = """
general: {{ enabled = true, json = "compact", path = "{folder}/control", type = "SOCK_SEQPACKET" }}
admin: {{ admin_enabled = false }}
"""
_ROOM = """
general: {{ }}
room-{room}: {{
  description = "bench", publishers = 64, bitrate = 2000000, videocodec = "vp8", audiocodec = "opus"
  record = true, rec_dir = "{folder}/mjr", notify_joining = false, transport_wide_cc_ext = false
}}
"""


class Janus:
    """One Janus process."""

    def __init__(self, folder: Path, interface: str) -> None:
        """``interface``: the only device to use; empty for any but loopback."""
        self._folder, self._interface = folder, interface
        self._process: asyncio.subprocess.Process | None = None
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self._session = 0

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    async def start(self) -> None:
        """Write its configuration, start it, open a session."""
        (self._folder / "mjr").mkdir()
        fields = {
            "folder": self._folder, "libraries": LIBRARIES, "room": ROOM,
            "nat": f'ice_enforce_list = "{self._interface}"' if self._interface else "",
        }  # fmt: skip
        for name, text in (
            ("janus.jcfg", _CORE), ("janus.transport.pfunix.jcfg", _SOCKET),
            ("janus.plugin.videoroom.jcfg", _ROOM),
        ):  # fmt: skip
            (self._folder / name).write_text(text.format(**fields))
        with (self._folder / "log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                "janus", "-F", str(self._folder), "-C", str(self._folder / "janus.jcfg"),
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + 10
        while True:
            try:
                self._socket.connect(str(self._folder / "control"))
                break
            except OSError:  # it says nowhere that it listens by now: it is asked
                if self._process.returncode is not None or time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.1)
        self._session = (await self._ask({"janus": "create"}))["data"]["id"]

    async def stop(self) -> None:
        """End it."""
        self._socket.close()
        if self._process is not None:
            if self._process.returncode is None:
                self._process.terminate()
            await self._process.wait()

    async def publish(self, offer: str) -> str:
        """Join the room and publish with this offer; the answer."""
        here = {"session_id": self._session}
        plugin = {"janus": "attach", "plugin": "janus.plugin.videoroom", **here}
        here["handle_id"] = (await self._ask(plugin))["data"]["id"]
        join = {"request": "join", "ptype": "publisher", "room": ROOM}
        await self._ask({"janus": "message", "body": join, **here}, final="event")
        reply = await self._ask(
            {
                "janus": "message",
                "body": {"request": "publish"},
                "jsep": {"type": "offer", "sdp": offer},
                **here,
            },
            final="event",
        )
        return str(reply["jsep"]["sdp"])

    async def _ask(self, request: dict[str, Any], final: str = "success") -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        transaction = secrets.token_hex(6)
        await loop.sock_sendall(
            self._socket, json.dumps({**request, "transaction": transaction}).encode()
        )
        async with asyncio.timeout(10):
            while True:
                reply: dict[str, Any] = json.loads(await loop.sock_recv(self._socket, 1 << 17))
                if reply.get("transaction") != transaction:
                    continue
                if reply["janus"] == "error" or "error_code" in str(reply.get("plugindata")):
                    raise RuntimeError(json.dumps(reply))
                if reply["janus"] == final:
                    return reply

    def frames(self) -> tuple[int, int]:
        """Whole video frames, and audio packets, in all .mjr files."""
        video = audio = 0
        for path in (self._folder / "mjr").glob("*.mjr"):
            packets = _packets(path)
            if "-video" in path.name:
                video += _whole(packets)
            else:
                audio += len({packet.sequence for packet in packets})
        return video, audio


def _packets(path: Path) -> list[rtp.Packet]:
    data = path.read_bytes()
    position = 10 + struct.unpack_from("!H", data, 8)[0]
    out: list[rtp.Packet] = []
    while position + 10 <= len(data) and data[position : position + 4] == b"MEET":
        size = struct.unpack_from("!H", data, position + 8)[0]
        packet = rtp.parse(data[position + 10 : position + 10 + size])
        if packet is not None:
            out.append(packet)
        position += 10 + size
    return out


def _whole(packets: list[rtp.Packet]) -> int:
    """Video frames of which every packet is there."""
    frames: dict[int, dict[int, rtp.Packet]] = {}
    for packet in packets:
        frames.setdefault(packet.timestamp, {})[packet.sequence] = packet
    whole = 0
    for parts in frames.values():
        last = next((s for s, packet in parts.items() if packet.marker), None)
        if last is None:
            continue
        run = [parts.get((last - back) & 0xFFFF) for back in range(len(parts) - 1, -1, -1)]
        first = run[0] and vp8.depacketise(run[0].payload)
        whole += None not in run and bool(first and first.begins_frame)
    return whole
