"""Is this text a session description that may reach a browser or the recorder? Pure.

It is not a parser: it refuses what has no business here, before anything parses it. What it
lets through is made of known lines in known numbers, encrypted media only, and one certificate.
RFC 8866 (SDP), RFC 8839 (ICE lines), RFC 8122 (fingerprints), RFC 8827 section 6.5 (no SDES).
"""

from __future__ import annotations

import ipaddress
import re

from avsession.errors import SdpRefused

MAX_TEXT = 20_000
"""Characters of a description; Chromium's largest in use has about 7,000."""
MAX_LINES = 1000
MAX_LINE = 1024
"""Characters of a line."""
MAX_MEDIA = 4
"""m-lines: audio, video, screen, data."""
MAX_CANDIDATES = 64
MAX_CANDIDATE = 512
"""Characters of an ICE candidate."""

KNOWN_EXTENSIONS = frozenset({"generation", "ufrag", "network-id", "network-cost"})
"""What may follow a relayed candidate where only those are shown."""

PROTOCOLS = {
    "audio": frozenset({"UDP/TLS/RTP/SAVPF"}),
    "video": frozenset({"UDP/TLS/RTP/SAVPF"}),
    "application": frozenset({"UDP/DTLS/SCTP", "DTLS/SCTP"}),
}
"""The kinds of m-line and what each may run over: nothing that is not DTLS."""

_LINE = re.compile(r"[a-z]=[\x20-\x7e]*")
_MEDIA = re.compile(r"m=([a-z]+) ([0-9]{1,5}) ([A-Z/]+)( [A-Za-z0-9-]{1,32}){1,64}")
_FINGERPRINT = re.compile(r"(?i:sha-256) ((?:[0-9A-Fa-f]{2}:){31}[0-9A-Fa-f]{2})")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}")
_PASSWORD = re.compile(r"[A-Za-z0-9+/]{22,256}")
_SETUP = re.compile(r"actpass|active|passive")
_MDNS = re.compile(r"[A-Za-z0-9-]{1,63}\.local")
_CANDIDATE = re.compile(
    r"candidate:[A-Za-z0-9+/]{1,32} [0-9]{1,3} (?i:udp|tcp) [0-9]{1,10} (?P<address>\S{1,80})"
    r" (?P<port>[0-9]{1,5}) typ (?P<kind>host|srflx|prflx|relay)"
    r"(?: raddr (?P<raddr>\S{1,80}) rport (?P<rport>[0-9]{1,5}))?"
    r"(?: [!-~]{1,64} [!-~]{1,256}){0,16}"
)

_ADDRESS = re.compile(r"IN IP[46] \S+")

_CHECKED = {
    "ice-ufrag": (_UFRAG, "The ICE user name is not acceptable."),
    "ice-pwd": (_PASSWORD, "The ICE password is not acceptable."),
    "setup": (_SETUP, "The DTLS role must be actpass, active or passive."),
}
"""Attributes whose value must match."""


def check(text: str) -> str:
    """The certificate's fingerprint: SHA-256, upper-case hex pairs with colons.

    Raises SdpRefused, with a sentence that repeats nothing of ``text``, unless it is acceptable.

    Every fingerprint must be SHA-256 and, repeats aside, the same: a description stands for one
    certificate. At least one m-line and one fingerprint must be there.
    """
    if len(text) > MAX_TEXT:
        raise SdpRefused(f"A session description may have {MAX_TEXT} characters at most.")
    lines = _lines(text)
    fingerprints: set[str] = set()
    media = candidates = 0
    for line in lines:
        if line.startswith("m="):
            _check_media(line)
            media += 1
        elif line.startswith("k="):
            raise SdpRefused("Keys do not belong into a session description.")
        elif line.startswith("a="):
            name, _, value = line[2:].partition(":")
            if name == "fingerprint":
                fingerprints.add(_fingerprint(value))
            elif name == "candidate":
                candidates += 1
                check_candidate(line[2:])
            else:
                _check_attribute(name, value)
    if not 1 <= media <= MAX_MEDIA:
        raise SdpRefused(f"A session description has 1 to {MAX_MEDIA} media lines.")
    if candidates > MAX_CANDIDATES:
        raise SdpRefused(f"A session description may have {MAX_CANDIDATES} candidates at most.")
    if len(fingerprints) != 1:
        raise SdpRefused("A session description needs exactly one certificate fingerprint.")
    return fingerprints.pop()


def check_candidate(text: str) -> None:
    """Raise SdpRefused unless ``text`` is an ICE candidate (RFC 8839 section 5.1).

    Its addresses must be IP addresses or ``.local`` names (RFC 8828): any other name would make
    the other party's browser look it up.
    """
    if len(text) > MAX_CANDIDATE:
        raise SdpRefused(f"A candidate may have {MAX_CANDIDATE} characters at most.")
    match = _CANDIDATE.fullmatch(text)
    if match is None:
        raise SdpRefused("That is not an ICE candidate.")
    for address in (match["address"], match["raddr"]):
        if address is not None and not _is_address(address):
            raise SdpRefused("A candidate's address must be an IP address or a .local name.")
    for port in (match["port"], match["rport"]):
        if port is not None and int(port) > 65_535:
            raise SdpRefused("A candidate's port is out of range.")


def relayed(candidate: str) -> str | None:
    """The candidate without the address behind it, if it is a relayed one; None for any other.

    Of what may follow only known words stay: others could hold anything.
    """
    match = _CANDIDATE.fullmatch(candidate)
    if match is None or match["kind"] != "relay":
        return None
    # RFC 8839 section 5.1: what stands there when the related address is not to be told
    shown = [candidate[: match.end("kind")], "raddr 0.0.0.0 rport 9"]
    more = candidate[match.end("rport" if match["rport"] else "kind") :].split()
    for name, value in zip(more[::2], more[1::2], strict=True):
        if name in KNOWN_EXTENSIONS and value.isalnum():
            shown.append(f"{name} {value}")
    return " ".join(shown)


def relayed_only(text: str) -> str:
    """A description that `check` has let through, without any address but relayed ones.

    The candidates of other kinds go, and the addresses that stand elsewhere: whose session it is
    (o=), the default destination (c=, a=rtcp) and the addresses behind relayed candidates. With
    trickled candidates nobody reads those (RFC 8840 section 4.1.1).
    """
    kept = []
    for line in _lines(text):
        if line.startswith("a=candidate:"):
            if (shown := relayed(line[2:])) is not None:
                kept.append(f"a={shown}")
        elif line.startswith(("c=", "o=", "a=rtcp:")):
            kept.append(_ADDRESS.sub("IN IP4 0.0.0.0", line))
        elif not line.lower().startswith("a=remote-candidates"):
            kept.append(line)
    return "\r\n".join(kept) + "\r\n"


def _lines(text: str) -> list[str]:
    """The lines without their ends (CRLF, or LF as RFC 8866 section 5 lets parsers accept)."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    if len(lines) > MAX_LINES:
        raise SdpRefused(f"A session description may have {MAX_LINES} lines at most.")
    for line in lines:
        if len(line) > MAX_LINE:
            raise SdpRefused(f"A line may have {MAX_LINE} characters at most.")
        if _LINE.fullmatch(line) is None:
            raise SdpRefused(
                "A line is not of a session description, or has a character unfit for one."
            )
    if lines[0] != "v=0":
        raise SdpRefused("A session description begins with v=0.")
    return lines


def _check_media(line: str) -> None:
    match = _MEDIA.fullmatch(line)
    if match is None or match[3] not in PROTOCOLS.get(match[1], ()):
        raise SdpRefused("A media line is of a kind or transport that is not accepted.")
    if int(match[2]) > 65_535:
        raise SdpRefused("A media line's port is out of range.")


def _fingerprint(value: str) -> str:
    match = _FINGERPRINT.fullmatch(value)
    if match is None:
        raise SdpRefused("Only SHA-256 fingerprints are accepted.")
    return match[1].upper()


def _check_attribute(name: str, value: str) -> None:
    # Names of attributes are case-sensitive (RFC 8866 section 5.13), parsers are not always.
    if name.lower() in {"crypto", "fingerprint", "candidate", *_CHECKED} and name not in _CHECKED:
        raise SdpRefused("An attribute is not accepted in this form.")
    if name in _CHECKED:
        pattern, sentence = _CHECKED[name]
        if pattern.fullmatch(value) is None:
            raise SdpRefused(sentence)


def _is_address(text: str) -> bool:
    if _MDNS.fullmatch(text):
        return True
    try:
        # A zone (fe80::1%eth0) means something on one machine only.
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
