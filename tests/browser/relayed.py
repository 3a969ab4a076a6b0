"""Browsers, server and a real coturn, where nobody reaches anybody but through coturn."""

from __future__ import annotations

import contextlib
import datetime
import json
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Playwright

from avsession import keys
from tests.browser.people import FLAGS, Person
from tests.browser.product import Product
from tests.support.coturn import LOOPBACK, ON_LOOPBACK, Relay, running, settings_for
from tests.support.netns import Place, door, lay, places

RELAY = "44.4.0.1"
"""Where coturn is, in its namespace: a public address, which needs no exception."""
CONNECTIONS = """
const Real = RTCPeerConnection;
window.connections = [];
window.RTCPeerConnection = class extends Real {
  constructor(...given) { super(...given); window.connections.push(this); }
};
"""
"""In a page, before anything else: what connections it makes."""
LOOK = """
async () => {
  const found = [];
  for (const pc of window.connections) {
    if (pc.connectionState !== "connected") continue;
    const stats = await pc.getStats();
    let pair = null;
    stats.forEach((one) => {
      if (one.type === "transport") pair = stats.get(one.selectedCandidatePairId) ?? pair;
    });
    if (!pair) continue;
    const local = stats.get(pair.localCandidateId);
    const remote = stats.get(pair.remoteCandidateId);
    found.push({
      local: local.candidateType, remote: remote.candidateType, port: local.port,
      ufrag: local.usernameFragment, by: local.relayProtocol ?? "",
      user: pc.getConfiguration().iceServers[0].username,
      leg: pc.getTransceivers().every(({ direction }) => direction === "sendonly"),
    });
  }
  return found;
}
"""


@dataclass
class Ground:
    """What a story stands on."""

    relay: Relay
    product: Product
    agents: Browser
    customers: Browser
    apart: bool
    """Whether the network itself leaves no other way."""


RELAYS = """
async (servers) => {
  const found = {};
  for (const urls of servers.urls) {
    const config = { iceServers: [{ ...servers, urls: [urls] }], iceTransportPolicy: "relay" };
    const [one, other] = [new RTCPeerConnection(config), new RTCPeerConnection(config)];
    one.onicecandidate = ({ candidate }) => candidate && other.addIceCandidate(candidate);
    other.onicecandidate = ({ candidate }) => candidate && one.addIceCandidate(candidate);
    const channel = one.createDataChannel("x");
    const heard = new Promise((done) => {
      other.ondatachannel = ({ channel }) => { channel.onmessage = ({ data }) => done(data); };
      setTimeout(() => done("nothing"), 15000);
    });
    channel.onopen = () => channel.send("through");
    await one.setLocalDescription();
    await other.setRemoteDescription(one.localDescription);
    await other.setLocalDescription();
    await one.setRemoteDescription(other.localDescription);
    const said = await heard;
    const by = new Set();
    (await one.getStats()).forEach((s) => s.type === "local-candidate" && by.add(s.relayProtocol));
    found[urls] = [said, ...by];
    one.close();
    other.close();
  }
  return found;
}
"""
"""In a page: what two connections say to one another through each URL, and how they reach it."""


async def ways(person: Person) -> list[dict[str, Any]]:
    """The chosen way of each connection that a page has."""
    found: list[dict[str, Any]] = await person.page.evaluate(LOOK)
    return found


@asynccontextmanager
async def ground(
    playwright: Playwright, chromium: str, folder: Path, **settings: str
) -> AsyncIterator[Ground]:
    """In namespaces if this machine gives us some, else on loopback with the relay-only policy."""
    async with AsyncExitStack() as stack:
        made: list[Place] = []
        with contextlib.suppress(OSError, subprocess.CalledProcessError):
            made = stack.enter_context(places("t", "a", "c", "s"))
        certificate = keys.local_certificate(folder, datetime.datetime.now(datetime.UTC))[:2]
        if made:
            turn_place, *others = made
            turn_place.ip("address", "add", f"{RELAY}/32", "dev", "lo")
            for number, place in enumerate(others, 1):
                lay(place, turn_place, number, RELAY)
            turn = settings_for(folder, RELAY, certificate)
            relay = await stack.enter_async_context(
                running(turn, folder, ["verbose"], turn_place.inside)
            )
        else:
            turn = settings_for(folder, certificate=certificate, allowed_peers=(LOOPBACK,))
            relay = await stack.enter_async_context(
                running(turn, folder, [*ON_LOOPBACK, "verbose"])
            )
            settings["media__relay_only"] = "true"
        product = Product(
            folder / "product",
            turn__urls=json.dumps(turn.urls),
            turn__secret_file=str(turn.secret_file),
            **settings,
        )
        if made:
            product.inside = made[3].inside
        await product.start()
        stack.push_async_callback(product.stop)
        browsers = []
        homes: list[Place | None] = [*made[1:3]] or [None, None]
        for home in homes:
            path = chromium
            if home is not None:
                await stack.enter_async_context(door(home, made[3], product.port))
                path = str(_wrapped(folder, home, chromium))
            browsers.append(
                await playwright.chromium.launch(
                    executable_path=path, args=[*FLAGS, "--ignore-certificate-errors"]
                )
            )
            stack.push_async_callback(browsers[-1].close)
        yield Ground(relay, product, browsers[0], browsers[1], apart=bool(made))


def _wrapped(folder: Path, place: Place, chromium: str) -> Path:
    """A program that runs the browser in a namespace."""
    path = folder / f"chromium-{place.name}"
    path.write_text(f'#!/bin/sh\nexec {" ".join(place.inside)} "{chromium}" "$@"\n')
    path.chmod(0o755)
    return path
