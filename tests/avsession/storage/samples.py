"""One record of each type, fitting together: a session that was recorded and looked at."""

from __future__ import annotations

import hashlib
from typing import Any

from avsession import export_records, records
from avsession.recording import State
from avsession.session import Party, Presence, Role, Session


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


ACCOUNT = records.Account(
    id="acc_1", login="alex", name="Alex", role="agent", password=None, created_ms=1
)
SESSION = Session(
    id="ses_1",
    pseudonym="psn_1",
    created_ms=2**53 - 1,
    created_by="acc_1",
    invitation_hash=digest("invitation"),
    invitation_expires_ms=5,
)
PARTY = Party(
    id="pty_1",
    session="ses_1",
    pseudonym="psn_2",
    role=Role.CUSTOMER,
    name="Zoë Ω",
    language="de",
    token_hash=digest("seat"),
    created_ms=3,
    presence=Presence.UNKNOWN,
)
REQUEST = records.RecordingRequest(
    id="req_1",
    session="ses_1",
    by="pty_1",
    purposes=["quality", "evidence"],
    notices={"en": "0" * 64, "de": "1" * 64},
    at_ms=6,
)
RECORDING = records.Recording(
    id="rec_1",
    session="ses_1",
    request="req_1",
    state=State.ON,
    reason="",
    purposes=["quality"],
    epoch_ms=7,
    generation=1,
    worker=None,
    recorder_key="key",
    created_ms=7,
)
TRACK = records.TrackRecord(id="trk_1", recording="rec_1", party="pty_1", recipient="age1…")
LEAF = records.Leaf(index=0, kind="log.started", session=None, at_ms=1, data=b"{}")

SAMPLES: tuple[Any, ...] = (
    ACCOUNT,
    SESSION,
    PARTY,
    REQUEST,
    RECORDING,
    TRACK,
    LEAF,
    records.AuthSession(
        token_hash=digest("cookie"), account="acc_1", pseudonym="psn_3", created_ms=1, seen_ms=2
    ),
    records.SignInLink(secret_hash=digest("link"), account="acc_1", expires_ms=9),
    records.Ticket(secret_hash=digest("t"), party="pty_1", session="ses_1", expires_ms=9),
    records.Idempotent(
        party="pty_1", key="k" * 16, digest="0" * 64, result={"request": "req_1"}, at_ms=8
    ),
    records.PartyKey(id="2" * 64, party="pty_1", public_key="A" * 87, at_ms=2, leaf=0),
    records.ConsentState(session="ses_1", state=b"\x00\xff{}", deadline_ms=60_000),
    records.Notice(
        sha256="0" * 64, id="recording", version="1", language="en", text=b"\xef\xbb\xbf", at_ms=1
    ),
    records.ConsentEvent(
        id="evt_1",
        session="ses_1",
        request="req_1",
        party="pty_1",
        kind="given",
        at_ms=8,
        document={"purposes": [{"id": "quality", "given": True}], "n": 1.5, "none": None},
        leaf=0,
    ),
    records.Withdrawal(
        request="req_1", party="pty_1", recording="rec_1", at_ms=9, due_ms=129, fate="keep"
    ),
    records.GrantRecord(recording="rec_1", generation=1, token="t.t", issued_ms=7),
    records.EntryRecord(recording="rec_1", n=0, line=b'{"entry":{}}'),
    records.SegmentRecord(track="trk_1", index=0, recording="rec_1", sha256="a" * 64, size=700),
    records.Access(
        id="acs_1",
        recording="rec_1",
        account="acc_1",
        auth=digest("cookie"),
        purpose="quality",
        reason="complaint 17",
        at_ms=10,
        expires_ms=20,
    ),
    records.Certificate(
        id="cer_1",
        recording="rec_1",
        party="pty_1",
        reason="withdrawn",
        whole=True,
        decided_ms=11,
        document={"tracks": [{"segments": 2}]},
        done_ms=12,
        leaf=0,
    ),
    records.Hold(
        id="hld_1",
        scope="recording",
        target="rec_1",
        session="ses_1",
        category="claim",
        reason="case 12",
        asked_by="the lawyer",
        review_ms=99,
        placed_by="acc_1",
        placed_ms=11,
    ),
    export_records.Export(
        id="exp_1",
        party="pty_1",
        language="de",
        opens=digest("key"),
        seals_to=digest("public key"),
        state="waiting",
        requested_ms=12,
        expires_ms=99,
    ),
    export_records.Taken(
        id="tak_1",
        recording="rec_1",
        why="admin",
        what="tak_1",
        tracks=["trk_1"],
        account="acc_1",
        purpose="quality",
        reason="complaint 17",
        at_ms=13,
    ),
    export_records.Disclosure(
        id="dis_1",
        scope="recording",
        target="rec_1",
        session="ses_1",
        category="authority",
        given_to="the court",
        basis="order",
        basis_text="order 3",
        reason="case 12",
        parts=["records", "media"],
        recipient="age1…",
        made_by="acc_1",
        made_ms=14,
        silent_until_ms=None,
        state="ready",
        expires_ms=99,
        leaf=0,
    ),
    records.PrivacyRequest(
        id="prv_1",
        session="ses_1",
        party="pty_1",
        right="object",
        state="open",
        text="not for training\nplease",
        purposes=["quality"],
        by="party",
        received_ms=11,
        due_ms=12,
    ),
    records.Restriction(
        id="rst_1",
        session="ses_1",
        party="pty_1",
        request="prv_1",
        why="objection",
        purposes=["quality"],
        whole=True,
        placed_ms=11,
    ),
    records.Detail(leaf=0, field="name", value=b'"Zo\xc3\xab"', salt=b"s" * 32, party="pty_1"),
    records.TreeNode(level=0, index=0, hash=digest("leaf")),
    records.Serving(number=1, token="a", since_ms=11),
    records.SignedHead(size=1, note="log\n1\nroot\n\n— log signature\n", at_ms=11),
)


def notice(
    seed: str, /, *, language: str = "en", text: bytes = b"", at_ms: int = 0
) -> records.Notice:
    """A record that refers to no other; its key is made of the seed."""
    return records.Notice(
        sha256=digest(seed).hex(),
        id="recording",
        version="1",
        language=language,
        text=text,
        at_ms=at_ms,
    )


def leaf(index: int) -> records.Leaf:
    return records.Leaf(index=index, kind="party.joined", session="psn_1", at_ms=1, data=b"{}")
