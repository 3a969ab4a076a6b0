"""The certificate that the port shows, and a new one in its place while calls go on.

Its files are looked at every few seconds, and at SIGHUP. What is found is loaded into a new TLS
context, which the handshakes from then on use; connections that are there keep theirs. What cannot
be used (torn in writing, key of another, expired, another name) changes nothing, and is said.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import logging
import ssl
from collections.abc import Callable
from pathlib import Path

from cryptography import x509

from avsession.errors import SettingsInvalid
from avsession.usecases.readiness import Readiness

log = logging.getLogger("avsession.certificates")

LOOK_S = 5.0
"""How often the files are looked at."""

Signs = tuple[tuple[int, int, int], ...]
"""By what a changed file is known: its time, its size, its inode."""


class Certificate:
    """The files of one certificate chain and its key.

    ``make``: a TLS context of the two files; raises OSError (ssl.SSLError is one).
    """

    def __init__(
        self,
        chain: Path,
        key: Path,
        host: str,
        make: Callable[[Path, Path], ssl.SSLContext],
        ready: Readiness,
    ) -> None:
        self._chain, self._key, self._host = chain, key, host
        self._make, self._ready = make, ready
        self._signs: Signs = ()

    def first(self) -> ssl.SSLContext:
        """The context to start with. Raises SettingsInvalid when the files cannot be used at all;
        a certificate that is expired, or another name's, is only warned of."""
        try:
            self._signs = self._now()
            leaf = read(self._chain)
            context = self._make(self._chain, self._key)
        except (OSError, ValueError) as error:
            raise SettingsInvalid(f"The certificate cannot be used: {error}") from error
        for wrong in faults(leaf, self._host, datetime.datetime.now(datetime.UTC)):
            log.error("the certificate is not one that browsers accept: %s", wrong)
        self._ready.certificate_ends_ms = ends_ms(leaf)
        return context

    def again(self, *, asked: bool = False) -> ssl.SSLContext | None:
        """A context of what lies there now; None when nothing changed, or it cannot be used.

        ``asked``: look even at files that seem to be the same.
        """
        try:
            signs = self._now()
            if signs == self._signs and not asked:
                return None
            leaf = read(self._chain)
            wrong = faults(leaf, self._host, datetime.datetime.now(datetime.UTC))
            if wrong:
                raise ValueError(wrong[0])
            context = self._make(self._chain, self._key)
        except (OSError, ValueError) as error:
            # said once for each state of the files, not every few seconds
            if not self._ready.certificate_problem or asked:
                log.error("the new certificate is not used, the old one still is: %s", error)
            self._ready.certificate_problem = True
            return None
        self._signs = signs
        self._ready.certificate_problem = False
        self._ready.certificate_ends_ms = ends_ms(leaf)
        log.info("a new certificate is used from now on; it ends %s", leaf.not_valid_after_utc)
        return context

    async def follow(self, use: Callable[[ssl.SSLContext], None], asked: asyncio.Event) -> None:
        """Hand every new context to ``use``, for as long as this runs; ``asked`` is SIGHUP's."""
        while True:
            try:
                async with asyncio.timeout(LOOK_S):
                    await asked.wait()
            except TimeoutError:
                pass
            by_signal = asked.is_set()
            asked.clear()
            if (context := await asyncio.to_thread(self.again, asked=by_signal)) is not None:
                use(context)

    def _now(self) -> Signs:
        found = [path.stat() for path in (self._chain, self._key)]
        return tuple((one.st_mtime_ns, one.st_size, one.st_ino) for one in found)


def read(chain: Path) -> x509.Certificate:
    """The server's own certificate: the first of the file. Raises OSError, ValueError."""
    return x509.load_pem_x509_certificates(chain.read_bytes())[0]


def unfit(chain: Path, key: Path) -> str:
    """Why no server starts with these two files, a sentence; empty: nothing stands against it.
    Blocking."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(chain, key)
    except ssl.SSLError:
        return f"{key} is not the key of {chain}"
    except OSError as error:
        return f"{key} cannot be read: {error.strerror}"
    return ""


def ends_ms(leaf: x509.Certificate) -> int:
    """When it ends, milliseconds since the epoch."""
    return int(leaf.not_valid_after_utc.timestamp() * 1000)


def faults(leaf: x509.Certificate, host: str, now: datetime.datetime) -> list[str]:
    """Why a browser would not take it for ``host`` now, a sentence each."""
    found = []
    if now >= leaf.not_valid_after_utc:
        found.append(f"it ended on {leaf.not_valid_after_utc:%Y-%m-%d}")
    if now < leaf.not_valid_before_utc:
        found.append(f"it begins on {leaf.not_valid_before_utc:%Y-%m-%d}")
    names = names_of(leaf)
    if not any(_is(name, host) for name in names):
        found.append(f"it is for {', '.join(names) or 'no name'}, not for {host}")
    return found


def names_of(leaf: x509.Certificate) -> list[str]:
    """The names and addresses that it is for (RFC 5280 section 4.2.1.6)."""
    try:
        san = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    addresses = san.get_values_for_type(x509.IPAddress)
    return [*san.get_values_for_type(x509.DNSName), *(str(one) for one in addresses)]


def _is(name: str, host: str) -> bool:
    """Whether a certificate's name covers the host (RFC 6125: a wildcard is one whole label)."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(host)
    except ValueError:
        name, host = name.lower(), host.lower()
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return name == host
