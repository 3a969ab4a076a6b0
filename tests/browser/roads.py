"""The network between real browsers and the server, for tests to cut: no rights, no kernel module.

TCP: the person's browser finds the server's name at a port of ours, which passes everything on, so
its pages, tickets and WebSockets are real connections that can be cut or swallowed. UDP: every
address that the window's pages are told to send media to is replaced by one of ours, and nobody is
told theirs; from there datagrams go on, as through a NAT, until the road is cut or is another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import Any

from playwright.async_api import Browser

from avsession.tasks import Tasks
from tests.browser.people import FLAGS, Person, window

READ = 1 << 16
CANDIDATE = re.compile(r"candidate:\S+ 1 (\S+) \d+ (\S+) (\d+) typ \S+")
THROUGH_US = """
// Candidates of the other side lead over the test's road; ours are known by the checks we send.
const Real = RTCPeerConnection;
window.made = 0;
const led = async (text) => {
  const lines = [];
  for (const line of text.split('\\r\\n')) {
    if (!line.startsWith('a=candidate:')) { lines.push(line); continue; }
    const candidate = await window.road(line.slice(2));
    if (candidate) lines.push(`a=${candidate}`);
  }
  return lines.join('\\r\\n');
};
window.RTCPeerConnection = class extends Real {
  constructor(...given) { super(...given); window.made += 1; }
  async addIceCandidate(init) {
    if (!init?.candidate) return super.addIceCandidate(init);
    const candidate = await window.road(init.candidate);
    if (candidate) return super.addIceCandidate({...init, candidate});
  }
  async setRemoteDescription({type, sdp}) {
    return super.setRemoteDescription({type, sdp: await led(sdp)});
  }
};
const send = WebSocket.prototype.send;
WebSocket.prototype.send = function (text) {
  const said = JSON.parse(text);
  if (said.candidate) said.candidate = '';
  if (said.sdp) said.sdp = said.sdp.replace(/a=candidate:.*\\r\\n/g, '');
  send.call(this, JSON.stringify(said));
};
"""


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, heard: Any) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, address: Any) -> None:
        self._heard(data, address)


class _Udp:
    """The way to one address, from whoever comes: back to each as it came."""

    def __init__(self, roads: Roads, target: tuple[str, int]) -> None:
        self._roads, self._target = roads, target
        self._front: asyncio.DatagramTransport | None = None
        self._backs: dict[Any, asyncio.DatagramTransport] = {}
        self.cut = False
        """For good: this way never leads anywhere again."""

    async def open(self) -> None:
        self._front = await self._socket(self._go)
        self.port: int = self._front.get_extra_info("sockname")[1]

    async def _socket(self, heard: Any) -> asyncio.DatagramTransport:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(heard), local_addr=(self._target[0], 0)
        )
        return transport

    def _go(self, data: bytes, origin: Any) -> None:
        if self._roads.media_dark or self.cut:
            return
        back = self._backs.get(origin)
        if back is None:
            self._roads.tasks.spawn(self._first(data, origin), name="a way back")
        else:
            back.sendto(data, self._target)

    async def _first(self, data: bytes, origin: Any) -> None:
        if origin not in self._backs:
            back = await self._socket(lambda data, _: self._return(data, origin))
            if origin in self._backs:
                back.close()
                return
            self._backs[origin] = back
        self._backs[origin].sendto(data, self._target)

    def _return(self, data: bytes, origin: Any) -> None:
        if not (self._roads.media_dark or self.cut) and self._front is not None:
            self._front.sendto(data, origin)

    def close(self) -> None:
        for transport in (self._front, *self._backs.values()):
            if transport is not None:
                transport.close()


class Roads:
    """One person's network: the way to the server at ``port``, and the way of the media."""

    def __init__(self, port: int) -> None:
        self._target = port
        self.tasks = Tasks(limit=1_000)
        self.media_dark = False
        self.server_dark = False
        self._ways: dict[tuple[str, int], _Udp] = {}
        self._old_ways: list[_Udp] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallowed: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def open(self) -> None:
        """Begin; :meth:`close` at the end."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """The end of every road."""
        if self._server is not None:
            self._server.close()
        self.hang_up()
        await self.tasks.close()
        for way in (*self._ways.values(), *self._old_ways):
            way.close()

    async def browser(self, like: Browser, executable: str | None) -> Browser:
        """A browser of its own, every connection of which goes over these roads."""
        rule = f"MAP localhost:{self._target} 127.0.0.1:{self.port}"
        flags = [*FLAGS, f"--host-resolver-rules={rule}"]
        return await like.browser_type.launch(executable_path=executable, args=flags)

    async def person(self, browser: Browser) -> Person:
        """A window in such a browser."""
        person = await window(browser)
        await person.context.expose_function("road", self._road)
        await person.context.add_init_script(THROUGH_US)
        return person

    # --- what happens to them

    def vanish(self, *, server: bool = True, media: bool = True) -> None:
        """The network is gone without a word. TCP connections that are there or begin now are
        dead for good, though nobody says so."""
        self.server_dark |= server
        self.media_dark |= media
        if server:
            self._swallowed |= self._writers

    def back(self) -> None:
        """The network is there again."""
        self.server_dark = self.media_dark = False

    def another(self) -> None:
        """A network is there, but another one: no way that was there before leads anywhere."""
        self._swallowed |= self._writers
        self.another_way()

    def another_way(self) -> None:
        """The same of the media's ways alone."""
        for way in self._ways.values():
            way.cut = True
        self._old_ways += self._ways.values()
        self._ways.clear()
        self.back()

    def hang_up(self) -> None:
        """Every TCP connection is reset."""
        for writer in tuple(self._writers):
            writer.transport.abort()

    # --- UDP

    async def _road(self, candidate: str) -> str:
        """The candidate as the page may see it; "" for what we do not carry."""
        found = CANDIDATE.match(candidate)
        if found is None or found[1].lower() != "udp" or ":" in found[2]:
            return ""
        target = (found[2], int(found[3]))
        if target not in self._ways:
            self._ways[target] = way = _Udp(self, target)
            await way.open()
        port = self._ways[target].port
        return f"{candidate[: found.start(3)]}{port}{candidate[found.end(3) :]}"

    # --- TCP

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.server_dark:
            self._swallowed.add(writer)
        try:
            up_reader, up = await asyncio.open_connection("127.0.0.1", self._target)
            self._writers.add(up)
            try:
                ways = {
                    self.tasks.spawn(self._pump(reader, up, writer), name="up"),
                    self.tasks.spawn(self._pump(up_reader, writer, writer), name="down"),
                }
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._writers.discard(up)
                up.transport.abort()
        except OSError:
            pass  # the server is not there: refused, as by itself
        finally:
            self._writers.discard(writer)
            self._swallowed.discard(writer)
            writer.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, of: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(READ):
                if of not in self._swallowed:
                    to.write(data)
                    await to.drain()
