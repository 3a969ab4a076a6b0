"""The contract with aiortc, aioice, pylibsrtp and asyncio: the names that nobody promised us."""

import ast
import asyncio
import re
import socket
from importlib.metadata import version
from pathlib import Path

import aioice
import pylibsrtp
from aiortc import RTCCertificate, RTCDtlsTransport

import recorder
from recorder.dtls import DtlsPipe
from recorder.private_names import PRIVATE_NAMES, VERSIONS
from tests.recorder.packets import audio_packet

ROOT = Path(recorder.__file__).parent.parent
PRIVATE_USE = re.compile(r"\b(?:_?ice|_dtls|pair|protocol|loop|_rx_srtp|inner)\.(_[a-z]\w*)")


async def test_the_private_names_are_where_they_were() -> None:
    certificate = RTCCertificate.generateCertificate()
    connection = aioice.Connection(ice_controlling=True)
    instances = {
        "aioice.Connection": connection,
        "aiortc.RTCDtlsTransport": RTCDtlsTransport(
            DtlsPipe(lambda data: None), [certificate]  # type: ignore[arg-type]
        ),
        "aiortc.RTCCertificate": certificate,
        "pylibsrtp.Session": pylibsrtp.Session(),
        "pylibsrtp._binding": pylibsrtp._binding,
        "pylibsrtp._binding.lib": pylibsrtp._binding.lib,
        "asyncio.SelectorEventLoop": asyncio.get_running_loop(),
    }  # fmt: skip
    assert set(instances) == set(PRIVATE_NAMES)
    for name, attributes in PRIVATE_NAMES.items():
        for attribute in attributes:
            assert hasattr(instances[name], attribute), f"{name}.{attribute} has moved"
    await connection.gather_candidates()
    protocol = connection._protocols[0]
    assert callable(protocol.datagram_received)
    assert protocol.transport.sendto is not None
    await connection.close()


def test_what_the_names_are_used_for_still_works() -> None:
    """As leg and intake use them, without a network."""
    loop = asyncio.SelectorEventLoop()
    here, there = socket.socketpair()
    loop.add_reader(here.fileno(), lambda: None)
    assert loop._remove_reader(here.fileno()) is True  # type: ignore[attr-defined]
    for each in (loop, here, there):
        each.close()
    ffi, lib = pylibsrtp._binding.ffi, pylibsrtp._binding.lib
    key = bytes(range(30))
    outbound = pylibsrtp.Session(pylibsrtp.Policy(key, pylibsrtp.Policy.SSRC_ANY_OUTBOUND))
    inbound = pylibsrtp.Session(pylibsrtp.Policy(key, pylibsrtp.Policy.SSRC_ANY_INBOUND))
    packet = audio_packet(1, 960)
    data = bytearray(2048)
    sealed = outbound.protect(packet)
    data[: len(sealed)] = sealed
    length = ffi.new("int *")
    length[0] = len(sealed)
    where = ffi.cast("char *", ffi.from_buffer(data))
    assert lib.srtp_unprotect(inbound._srtp[0], where, length) == 0
    assert bytes(data[: length[0]]) == packet
    assert lib.srtp_unprotect(inbound._srtp[0], where, length) != 0  # not SRTP any more


def test_the_versions_that_were_read_are_the_ones_locked() -> None:
    for package, read in VERSIONS.items():
        assert version(package) == read
        for lock in ("requirements.lock", "requirements-dev.lock"):
            assert f"\n{package}=={read} " in (ROOT / lock).read_text(), (package, lock)


def test_private_names_are_used_in_leg_and_listed() -> None:
    """Of ICE, DTLS and the loop, in two files only; of the binding in intake only."""
    listed = {name for names in PRIVATE_NAMES.values() for name in names}
    for name in ("leg", "ice"):
        used = set(PRIVATE_USE.findall((ROOT / "recorder" / f"{name}.py").read_text()))
        assert used
        assert used <= listed
    for path in sorted((ROOT / "recorder").glob("*.py")):
        text = path.read_text()
        modules = {
            (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
            for node in ast.walk(ast.parse(text))
            if isinstance(node, ast.Import | ast.ImportFrom)
        }
        private = {m for m in modules if m.split(".")[0] in {"aiortc", "aioice", "pylibsrtp"}}
        if path.name == "intake.py":
            assert private == {"pylibsrtp._binding"}
            assert set(re.findall(r"\blib\.(\w+)", text)) == {"srtp_unprotect"}
        elif path.name not in {"leg.py", "ice.py"}:
            assert private == set(), path.name
