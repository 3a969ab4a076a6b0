"""Hostile inputs as data files; each says what it is and what must happen.

A file in ``corpus/`` has a head of ``name: value`` lines (``target``, ``why``, ``expect``), an
empty line, and the input: hex, a text (``input: text``, with CRLF line ends), or, for `receiver`,
a step a line: ``take|rtp|rtcp HEX`` or ``wait MS``. ``take*3000 HEX`` is that packet so many
times, its sequence number counted up; ``take/3000 HEX`` counts its SSRC up.

``expect`` is what the target says of the input; for `receiver` it may be ``survives`` (an honest
sender's frames are stored afterwards), ``crowded`` (its leg is ended), and figures after it:
``survives, malformed 3, discarded 1``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.targets import TARGETS, Run, Step, decode, put_through

FOLDER = Path(__file__).parent / "corpus"


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    target: str
    why: str
    expect: str
    data: bytes
    steps: tuple[Step, ...] = ()

    def check(self) -> None:
        """Raises when what must happen does not."""
        if self.target != "receiver":
            assert TARGETS[self.target](self.data) == self.expect
            return
        run = put_through(self.steps)
        wanted, *figures = self.expect.split(", ")
        assert ("crowded" if run.receiver.crowded else "survives") == wanted
        for figure in figures:
            name, number = figure.split()
            assert figure_of(run, name) == int(number), name


def figure_of(run: Run, name: str) -> int:
    """A figure of the receiver's, by its name in ``expect``."""
    found = getattr(run.receiver, name)
    assert isinstance(found, int)
    return found


def read(path: Path) -> Case:
    """A file of the corpus; raises ValueError when it is not as the head of this file says."""
    head, _, body = path.read_text("utf-8").partition("\n\n")
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    if not {"target", "why", "expect"} <= set(fields) or fields["target"] not in TARGETS:
        raise ValueError(f"{path.name}: target, why and expect are needed")
    steps: tuple[Step, ...] = ()
    data = b""
    if fields["target"] == "receiver":
        steps = tuple(_steps(body.splitlines()))
    elif fields.get("input") == "text":
        data = body.replace("\n", "\r\n").encode("utf-8", "surrogateescape")
    else:
        data = bytes.fromhex("".join(body.split()))
    return Case(path.stem, fields["target"], fields["why"], fields["expect"], data, steps)


def _steps(lines: Iterable[str]) -> Iterator[Step]:
    for line in lines:
        what, _, value = line.partition(" ")
        if what == "wait":
            yield what, int(value).to_bytes(2, "big")
            continue
        packet = bytes.fromhex(value)
        for counter, place in (("*", slice(2, 4)), ("/", slice(8, 12))):
            name, _, times = what.partition(counter)
            if times:
                size = place.stop - place.start
                first = int.from_bytes(packet[place], "big")
                for number in range(int(times)):
                    count = ((first + number) % (1 << (8 * size))).to_bytes(size, "big")
                    yield name, packet[: place.start] + count + packet[place.stop :]
                break
        else:
            yield what, packet


def write(target: str, data: bytes, why: str) -> Path:
    """Keep an input that broke something; what must happen is for whoever mends it to say."""
    path = FOLDER / f"{target}-{hashlib.sha256(data).hexdigest()[:12]}.txt"
    if target == "receiver":
        body = "\n".join(
            f"wait {int.from_bytes(value, 'big')}" if what == "wait" else f"{what} {value.hex()}"
            for what, value in decode(data)
        )
    else:
        shown = data.hex()
        body = "\n".join(shown[n : n + 96] for n in range(0, len(shown), 96))
    expect = "survives" if target == "receiver" else "refused"
    head = f"target: {target}\nwhy: {why}\nexpect: {expect}"
    path.write_text(f"{head}\n\n{body}\n", "utf-8")
    return path


def cases() -> list[Case]:
    """All of them."""
    return [read(path) for path in sorted(FOLDER.glob("*.txt"))]
