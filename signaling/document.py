"""Writes PROTOCOL.md from the code: ``python -m signaling.document > signaling/PROTOCOL.md``.

Messages, fields and constraints come from the structs that decode them, limits from
``signaling.limits``, ends from ``signaling.connection``, codes from ``avsession.errors``. A test
holds that the file equals the text.
"""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from msgspec import inspect as types

from avsession import errors
from avsession.messages import FromParty, FromRecorder, ToParty, ToRecorder
from signaling.connection import End
from signaling.dispatch import PARTY, RECORDER, Ahead, Now
from signaling.limits import FIXED, Limits, Rate, Row

NO_NEWLINE = r"(?!\n)"
"""At the end of every pattern, because ``$`` lets a newline pass; of no use to a reader."""

HEAD = """\
# The signaling protocol

Printed from the code by `python -m signaling.document`; do not edit by hand.

## Connecting

WebSocket (RFC 6455) over TLS 1.2 or newer, on the port of the pages. Text frames, one JSON object
each, told apart by `type`. Unknown types and fields are errors. No compression, no binary frames.

| | parties' pages | recorder workers |
|---|---|---|
| path | `/signaling` | `/recorder` |
| subprotocol, exactly | `avsession.v1` | `avsession.recorder.v1` |
| `Origin` | one of ours, else 403 `origin.refused` | none, else 403 `origin.refused` |
| `Authorization` | not looked at | `Bearer` and the credential, else 401 `auth.required` |
| first message | `hello` with a single-use ticket | `worker.hello` |
| answer | `welcome` | `recorder.welcome` |

Another subprotocol is answered with 400 `message.invalid`. Refusals before the upgrade have a JSON
body `{"code", "message"}`. A ticket comes from the HTTPS api, is good for 30 s and for one `hello`.
Coming back needs none, see below.

Nothing is sent before the welcome. A party's second connection replaces its first, which is told
`error replaced` and closed with 4001; the party is not lost in between. When a party's last
connection ends, by a word, a broken network or a missing pong, the gate closes at once and its
seat is held for 30 s.

## Order

The sender of a message is the connection's party; no message has a field for it. *at once*: carried
out while it is read. *in turn*: after the connection's earlier ones of this kind (a recorder's: of
the same recording). *ahead*: begun at once, and what comes later waits for it, because what it
stops must stop now. A change with a `key` is answered with `ack`, or with `error` and the same
`key`; sending it again under the same key changes nothing and is answered again.

What goes to another party (`describe`, `trickle`, `confirm`, `media`) is relayed within the session
and never stored. A party that is elsewhere, gone, or never was gives the same `error not_found`.

## A connection that is lost and comes back

Nothing of it is kept here, so that it may as well be the server that was gone. What a page is told
about the session is all in its next `welcome`. Changes have keys and are said again until they are
acknowledged. What two pages say to each other they number: `run` names a page's numbering, `n`
counts from 1 without a gap. The other page takes each number once and in order, says with `confirm`
how far it has got, and after its own `welcome` asks for what follows (`again`). What is not
confirmed is kept, 100 messages at most, and said again after the page's own `welcome`, and when the
other party is back. Who has confirmed less than before is a new page: the numbering starts anew.

A page that has been welcomed comes back with `resume`, which its welcome gave it and which it keeps
in memory: until 30 s after its connection has ended no ticket is needed, so that nothing but this
one connection has to succeed. After `error ticket.refused` (the server was restarted, or it took
too long) it comes by a ticket, and shows `resume` all the same: the page that took a seat last has
it, and one that slept meanwhile is told `error replaced` and closed with 4001.
"""


def text() -> str:
    """PROTOCOL.md."""
    return "\n".join(
        (
            HEAD,
            *_section("A party's page says", FromParty),
            *_section("A party's page is told", ToParty),
            *_section("A recorder worker says", FromRecorder),
            *_section("A recorder worker is told", ToRecorder),
            *_objects(),
            *_limits(),
            *_ends(),
            *_errors(),
        )
    )


def _section(title: str, union: Any) -> Iterator[str]:
    yield f"## {title}\n"
    for cls in union.__args__:
        yield f"### `{cls.__struct_config__.tag}`\n"
        yield f"{_doc(cls)}{_how(cls)}\n"
        yield from _fields(cls)


def _how(cls: Any) -> str:
    rule = PARTY.get(cls) or RECORDER.get(cls)
    if rule is None:
        return ""
    when = "at once" if isinstance(rule, Now) else "ahead" if isinstance(rule, Ahead) else "in turn"
    return f" *({when}; counts as `{rule.rate}`)*"


def _fields(cls: Any) -> Iterator[str]:
    says = field_docs(cls)
    info = types.type_info(cls)
    if not isinstance(info, types.StructType) or not info.fields:
        return
    yield "| field | type | |"
    yield "|---|---|---|"
    for one in info.fields:
        optional = "" if one.required else "optional"
        notes = " ".join(filter(None, (optional, says.get(one.name, ""))))
        yield f"| `{one.encode_name}` | {_type(one.type)} | {notes} |"
    yield ""


def _type(kind: types.Type) -> str:
    """A field's type and constraints, in words that fit a table."""
    if isinstance(kind, types.StrType):
        limits = [f"up to {kind.max_length} characters"] if kind.max_length else []
        limits += [f"at least {kind.min_length}"] if kind.min_length else []
        limits += (
            [f"`{kind.pattern.removesuffix(NO_NEWLINE)}`".replace("|", "\\|")]
            if kind.pattern
            else []
        )
        return ", ".join(["text", *limits])
    if isinstance(kind, types.IntType):
        low = f"from {kind.ge}" if kind.ge is not None else ""
        high = f"to {kind.le}" if kind.le is not None else ""
        return " ".join(filter(None, ("integer", low, high)))
    if isinstance(kind, types.UnionType):
        return " or ".join(_type(one) for one in kind.types)
    if isinstance(kind, types.VarTupleType):
        most = f", up to {kind.max_length}" if kind.max_length else ""
        return f"list of {_type(kind.item_type)}{most}"
    if isinstance(kind, types.DictType):
        return f"object of {_type(kind.value_type)}"
    if isinstance(kind, types.StructType):
        return f"[`{kind.cls.__name__}`](#{kind.cls.__name__.lower()})"
    return {"BoolType": "boolean", "NoneType": "null", "FloatType": "number"}[type(kind).__name__]


def _objects() -> Iterator[str]:
    """The structs inside messages, each once, in the order of their use."""
    yield "## Objects\n"
    messages = [cls for union in (ToParty, ToRecorder) for cls in union.__args__]
    seen: list[Any] = []
    waiting = [types.type_info(cls) for cls in messages]
    while waiting:
        kind = waiting.pop(0)
        inside: Iterable[types.Type] = ()
        if isinstance(kind, types.StructType):
            if kind.cls not in seen and kind.cls not in messages:
                seen.append(kind.cls)
            inside = (one.type for one in kind.fields)
        elif isinstance(kind, types.UnionType):
            inside = kind.types
        elif isinstance(kind, types.VarTupleType):
            inside = (kind.item_type,)
        waiting.extend(inside)
    for cls in seen:
        yield f"### {cls.__name__}\n"
        yield f"{_doc(cls)}\n"
        yield from _fields(cls)


def limits() -> Iterator[Row]:
    """Every limit, in the order of the source."""
    says = field_docs(Limits)
    for one in msgspec.structs.fields(Limits):
        what, _, beyond = says[one.name].partition(" Beyond: ")
        value = one.default
        shown = f"{value:g} s" if one.name.endswith("_s") else str(value)
        if isinstance(value, Rate) and value.per_s < 1:
            shown = f"one in {1 / value.per_s:g} s, {value.burst} at once"
        yield Row(one.name, shown, what.removesuffix("."), beyond.removesuffix("."))
    yield from FIXED


def _limits() -> Iterator[str]:
    yield "## Limits\n"
    yield "| limit | value | of what | beyond it |"
    yield "|---|---|---|---|"
    for row in limits():
        yield f"| `{row.name}` | {row.value} | {row.what} | {row.beyond} |"
    yield ""


def _ends() -> Iterator[str]:
    yield "## How a connection ends\n"
    yield "| close code | reason | |"
    yield "|---|---|---|"
    for end in End:
        yield f"| {end.code} | `{end.reason}` | {end.sentence} |"
    yield "| 1007 | | Text that is not UTF-8. |"
    yield "| 1009 | | A message is too big or has too many fragments. |"
    yield "| 1011 | | No pong came in time. |"
    yield ""


def _errors() -> Iterator[str]:
    yield "## Codes of `error`\n"
    yield "| code | sentence | |"
    yield "|---|---|---|"
    for _, cls in inspect.getmembers(errors, inspect.isclass):
        if issubclass(cls, errors.AvsessionError):
            yield f"| `{cls.code}` | {cls.sentence} | {_doc(cls)} |"
    yield f"| `{End.REPLACED.reason}` | {End.REPLACED.sentence} | Before the close with 4001. |"
    yield ""


def _doc(cls: Any) -> str:
    return " ".join((inspect.getdoc(cls) or "").replace("``", "`").split())


def field_docs(cls: Any) -> dict[str, str]:
    """What stands as a docstring below each field of a struct."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]
    docs: dict[str, str] = {}
    name = ""
    for node in getattr(tree, "body", ()):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            name = node.target.id
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and name:
            docs[name] = " ".join(str(node.value.value).replace("``", "`").split())
            name = ""
    return docs


if __name__ == "__main__":
    sys.stdout.write(text())
