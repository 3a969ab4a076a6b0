"""A party's receipt: what it said, in its own language, and the proof that this is in the log.

A receipt is one HTML page that needs nothing from anywhere: no script, no picture, no network. The
machine-readable part is inside it, and the rest of the page is made from that part alone
(:func:`render`): verification makes it again and compares every byte. :func:`verify` is pure and
needs no clock, no network and nothing of ours but the log's public key.

It opens commitments of this party's own leaf only: the log itself stays as silent as it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from avsession.audit import checkpoint, proof, signatures
from avsession.audit.certificate import segments_digest
from avsession.audit.checkpoint import VerifierKey
from avsession.audit.receipt_page import LANGUAGES, PLAIN, Look, look_of, page
from avsession.canonical import b64, canonical, commitment, sha256_hex, unb64
from avsession.errors import AvsessionError, ReceiptInvalid

VERSION: Literal["avsession.receipt.v1"] = "avsession.receipt.v1"
MAX_RECEIPT = 16 * 1024 * 1024
"""Bytes of a receipt's file; a longer one is refused before it is parsed. A certificate lists every
segment that was destroyed, 67 bytes each: that is enough for two parties in a call of a day."""

KINDS = {
    "given": "consent.given",
    "refused": "consent.refused",
    "withdrawn": "consent.withdrawn",
    "erased": "recording.erased",
}
"""Kind of receipt -> kind of the leaf that proves it."""
ACTIONS = signatures.ACTIONS

OPEN = '<script type="application/json" id="receipt">'
CLOSE = "</script>"

Text = Annotated[str, Meta(max_length=128 * 1024)]


class Opened(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A field that the leaf commits to: what it is, and the salt that shows it."""

    value: Any
    salt: str
    """Base64url."""


class Notice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The notice that was on the screen, exactly."""

    sha256: str
    language: str
    text: Text


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The machine-readable part."""

    v: Literal["avsession.receipt.v1"] = VERSION
    kind: Literal["given", "refused", "withdrawn", "erased"]
    language: Literal["en", "de"]
    """Of the readable part."""
    origin: Text
    """The log's name."""
    log_key: Text
    """Its public key, ``name+id+key``. Whoever verifies should have it from somewhere else."""
    privacy: Text
    """Where to withdraw, and to read more: an address of the service."""
    document: dict[str, Any]
    """The event or, for ``erased``, the certificate: what the leaf's ``document`` commits to."""
    opened: dict[str, Opened]
    """Every field that the leaf commits to."""
    notice: Notice | None
    leaf: Text
    """The leaf's own bytes, as text."""
    proof: Text
    """C2SP tlog-proof: index, hashes, signed checkpoint."""


class Step(msgspec.Struct, frozen=True):
    """One thing that was checked. ``holds`` None: there was nothing to check, or it is a remark."""

    number: int
    name: str
    """A stable code, such as ``leaf``."""
    holds: bool | None
    detail: str
    """A sentence in English."""


class Verdict(msgspec.Struct, frozen=True):
    """What came of a verification."""

    steps: tuple[Step, ...]
    receipt: Receipt | None

    @property
    def holds(self) -> bool:
        """Whether nothing that was checked is wrong."""
        return self.receipt is not None and all(step.holds is not False for step in self.steps)


# --- making one


def build(
    *,
    kind: str,
    language: str,
    privacy: str,
    document: Mapping[str, Any],
    opened: Mapping[str, tuple[Any, bytes]],
    notice: str | None,
    key: VerifierKey,
    proven: proof.Proof,
) -> Receipt:
    """The receipt of a leaf. ``opened``: field -> value and salt, of every commitment in it.

    ``document`` is without its ``proof``, which the leaf cannot commit to. ``notice`` is the text
    that the document names. Raises ReceiptInvalid when the parts do not belong together: a
    receipt that does not verify is never handed out.
    """
    said = document.get("notice") or {}
    fields: dict[str, Any] = {
        "v": VERSION,
        "kind": kind,
        "language": language if language in LANGUAGES else "en",
        "origin": key.name,
        "log_key": key.text,
        "privacy": privacy,
        "document": {name: value for name, value in document.items() if name != "proof"},
        "opened": {
            name: {"value": value, "salt": b64(salt)} for name, (value, salt) in opened.items()
        },
        "notice": None
        if notice is None
        else {"sha256": said.get("sha256"), "language": said.get("language"), "text": notice},
        "leaf": proven.leaf.decode(),
        "proof": proven.text,
    }
    try:
        made = msgspec.convert(fields, Receipt)
    except msgspec.ValidationError as error:
        raise ReceiptInvalid(f"The receipt cannot be made: {error}") from error
    verdict = verify(render(made).encode(), key)
    wrong = [step.name for step in verdict.steps if step.holds is False]
    if wrong:
        raise ReceiptInvalid(f"The receipt would not verify: {', '.join(wrong)}.")
    return made


def render(receipt: Receipt, look: Look = PLAIN) -> str:
    """The whole file. The same receipt gives the same bytes, here and in ``receipt_page.js``.

    ``look``: the layout, and which local time stands beside UTC.
    """
    machine = canonical(receipt).decode().replace("<", "\\u003c")
    return page(msgspec.to_builtins(receipt), f"{OPEN}{machine}{CLOSE}", look)


# --- verifying one


def read(data: bytes) -> Receipt:
    """The machine-readable part of a receipt's file. Raises ReceiptInvalid; verifies nothing."""
    if len(data) > MAX_RECEIPT:
        raise ReceiptInvalid("The file is too long for a receipt.")
    try:
        text = data.decode()
        _before, opening, rest = text.partition(OPEN)
        machine, closing, _ = rest.partition(CLOSE)
        if not opening or not closing or OPEN in rest:
            raise ReceiptInvalid("There is no machine-readable part in it, or more than one.")
        return msgspec.json.decode(machine, type=Receipt)
    except (UnicodeDecodeError, msgspec.DecodeError, RecursionError) as error:
        raise ReceiptInvalid("The machine-readable part is not one of a receipt.") from error


def verify(data: bytes, key: VerifierKey | None = None) -> Verdict:
    """Check a receipt's file, step by step; every step is tried, whatever came of the others.

    ``key``: the log's, from somewhere other than this file. Without it the file's own is used,
    and a step says that this shows less. Raises nothing.
    """
    steps: list[Step] = []

    def step(name: str, check: Any, *given: Any) -> None:
        try:
            holds, detail = check(*given)
        except (AvsessionError, *MALFORMED) as error:
            known = isinstance(error, AvsessionError)
            holds, detail = False, str(error) if known else "It is not well-formed."
        steps.append(Step(len(steps) + 1, name, holds, detail))

    receipt = None
    try:
        receipt = read(data)
    except ReceiptInvalid as error:
        steps.append(Step(1, "file", False, str(error)))
        return Verdict(tuple(steps), None)
    steps.append(Step(1, "file", True, f"It is a receipt of the kind: {receipt.kind}."))
    step("page", _page, receipt, data)
    step("document", _document, receipt)
    step("leaf", _leaf, receipt)
    step("notice", _notice, receipt)
    step("address", _address, receipt)
    step("language", _language, receipt)
    step("signature", _signature, receipt)
    step("inclusion", _inclusion, receipt)
    step("checkpoint", _checkpoint, receipt, key)
    step("key", _key, receipt, key)
    return Verdict(tuple(steps), receipt)


MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What comes of looking into data of another shape, however deep."""
Found = tuple[bool | None, str]


def _page(receipt: Receipt, data: bytes) -> Found:
    look = look_of(data.decode())
    if look is None or render(receipt, look).encode() != data:
        return False, "The readable part is not what the machine-readable part says."
    return True, "The readable part says what the machine-readable part says, to the byte."


def _document(receipt: Receipt) -> Found:
    """The document is the one that the leaf commits to, and every commitment opens."""
    body = json.loads(receipt.leaf)
    digest = sha256_hex(canonical(receipt.document))
    if receipt.kind == "erased":  # a certificate names nobody: its digest stands in the open
        if receipt.opened or body["commitments"] or body["refs"]["sha256"] != digest:
            return False, "The log's entry names another document."
        return True, "The log's entry names this very document."
    if body["commitments"].keys() != receipt.opened.keys() or "document" not in receipt.opened:
        return False, "The receipt does not open what the log's entry commits to."
    for name, one in receipt.opened.items():
        if body["commitments"][name] != commitment(unb64(one.salt), name, one.value):
            return False, f"The log's entry commits to something else as its {name}."
    if receipt.opened["document"].value != digest:
        return False, "The log's entry commits to another document."
    return True, "The log's entry commits to this very document."


def _leaf(receipt: Receipt) -> Found:
    """The leaf is about this event of this party."""
    body = json.loads(receipt.leaf)
    if canonical(body).decode() != receipt.leaf:
        return False, "The log's entry is not canonical JSON."
    document = receipt.document
    if receipt.kind == "erased":
        agrees = _is_of_certificate(body, document)
    else:
        agrees = all(
            [
                body["session"] == document["session"],
                document["event_state"] == receipt.kind,
                body["refs"]["event"] == document["event_id"],
                body["refs"]["request"] == document["request"],
                body["refs"]["notice"] == (document["notice"] or {}).get("sha256"),
                body["subject"] == document["data_subject"],
                body["actor"] == document["acted_by"],
            ]
        )
    if body["kind"] != KINDS[receipt.kind] or not agrees:
        return False, "The log's entry is about something else."
    return True, f"Entry {body['index']} of the log is about this event."


def _is_of_certificate(body: dict[str, Any], document: dict[str, Any]) -> bool:
    """The entry says of the destruction what the certificate says, track by track."""
    refs, what = body["refs"], document["what"]
    tracks = [
        {
            "track": track["track"],
            "segments": len(track["segments_sha256"]),
            "digest": segments_digest(track["segments_sha256"]),
        }
        for track in what["tracks"]
    ]
    names = ("track", "segments", "digest")
    told = [{name: track[name] for name in names} for track in what["tracks"]]
    return all(
        [
            body["session"] == what["session"],
            body["subject"] == document["by"].get("pseudonym"),
            refs["recording"] == what["recording"],
            refs["certificate"] == document["certificate"],
            refs["whole"] == what["whole"],
            refs["reason"] == document["why"],
            refs["tracks"] == told == tracks,
        ]
    )


def _notice(receipt: Receipt) -> Found:
    said = receipt.document.get("notice")
    if receipt.notice is None:
        if receipt.kind == "given" or said is not None:
            return False, "The notice that was shown is missing."
        return None, "There is no notice in this receipt."
    notice = receipt.notice
    if said is None or (notice.sha256, notice.language) != (said["sha256"], said["language"]):
        return False, "Another notice was shown."
    if sha256_hex(notice.text.encode()) != notice.sha256:
        return False, "The text is not the one that was shown."
    return True, "The text is the one that was shown, to the byte."


def _address(receipt: Receipt) -> Found:
    """Where to withdraw is what the document says: else a forger could send people elsewhere."""
    if "privacy" not in receipt.document:
        return None, "The service's address is not covered by the log: do not rely on it."
    if receipt.document["privacy"] != receipt.privacy:
        return False, "The service's address is another one."
    return True, "The service's address is the one in the document."


def _language(receipt: Receipt) -> Found:
    said = language_of(receipt.document)
    if said is None:  # a certificate is told to each party in its own, an old record had none
        return None, "The language is not covered by the log."
    if said != receipt.language:
        return False, "The readable part is in another language."
    return True, "The readable part is in the language of the document."


def language_of(document: Mapping[str, Any]) -> str | None:
    """In which language, of those that a receipt has, its document is told; None: in any."""
    said = (document.get("notice") or {}).get("language") or document.get("language")
    if not said:
        return None
    first: str = said.split("-", maxsplit=1)[0]
    return first if first in LANGUAGES else "en"


def _signature(receipt: Receipt) -> Found:
    """The party's own signature is over what the document says."""
    if receipt.kind == "erased":
        return None, "Nobody signs this with a key of their own but the log."
    if wrong := signatures.wrong(receipt.document, json.loads(receipt.leaf)["refs"]["key"]):
        return False, f"{wrong}."
    if receipt.document["signature"]["status"] != "valid":
        return None, "The party's browser did not sign this validly; it counts all the same."
    return True, "The party's browser signed exactly this."


def _inclusion(receipt: Receipt) -> Found:
    parsed = proof.parse(receipt.proof, receipt.leaf.encode())
    if parsed.text != receipt.proof or parsed.extra:
        return False, "The proof is written in another way than ours."
    if json.loads(receipt.leaf)["index"] != parsed.index:
        return False, "The proof is for another place in the log."
    head = proof.included(parsed)
    return (
        True,
        f"The entry is number {parsed.index} of the {head.size} that the checkpoint covers.",
    )


def _checkpoint(receipt: Receipt, key: VerifierKey | None) -> Found:
    parsed = proof.parse(receipt.proof, receipt.leaf.encode())
    head = checkpoint.verify(parsed.note, key or checkpoint.parse_key(receipt.log_key))
    text, _, signatures_ = parsed.note.rpartition("\n\n")
    if (text.count("\n"), signatures_.count("\n")) != (2, 1):
        return False, "The checkpoint carries lines or signatures that nothing here can check."
    if head.origin != receipt.origin:
        return False, "The checkpoint is another log's."
    return True, f"The log {head.origin} signed the checkpoint."


def _key(receipt: Receipt, key: VerifierKey | None) -> Found:
    if checkpoint.parse_key(receipt.log_key).text != receipt.log_key:
        return False, "The log's key is written in another way than ours."
    if key is None:
        return None, (
            "The log's key was taken from the receipt itself. Compare it with the one that the "
            "service publishes at /log/key, or that somebody else kept."
        )
    if key.text != receipt.log_key:
        return False, "The receipt names another key than the one that you gave."
    return True, "The log's key is the one that you gave."
