"""A certificate: what it says, that it says it plainly, and that its digest is of all of it."""

import hashlib
from typing import Any

import pytest

from avsession.audit import certificate
from avsession.audit.certificate import Destroyed
from avsession.config import Controller, Retention, Settings

DAY = 86_400_000
TRACK = Destroyed(track="trk_a", recipient="age1x", role="customer", segments=("aa", "bb"))


def built(days: int = 0, **changed: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {
        "certificate": "cer_a",
        "recording": "rec_a",
        "session": "psn_s",
        "whole": True,
        "reason": "withdrawn",
        "by": {"role": "customer", "pseudonym": "psn_c"},
        "tracks": [TRACK],
        "manifest": {"head": "cc", "entries": 5},
        "decided_ms": 0,
        "keys_ms": 1000,
        "done_ms": 2000,
        "scrubbed": True,
    }
    settings = Settings(
        retention=Retention(key_backup_days=days), controller=Controller(name="Muster GmbH")
    )
    return certificate.build(settings, **(usual | changed))


def test_what_was_destroyed_is_counted_and_named_by_digest() -> None:
    (track,) = built()["what"]["tracks"]
    assert (track["segments"], track["segments_sha256"]) == (2, ["aa", "bb"])
    assert track["digest"] == hashlib.sha256(b"aabb").hexdigest()


def test_who_answers_for_it_and_when_each_part_was_gone() -> None:
    said = built()
    assert said["controller"]["name"] == "Muster GmbH"
    assert list(said["when"].values()) == [
        "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:01.000Z", "1970-01-01T00:00:02.000Z",
    ]  # fmt: skip


def test_without_backups_of_the_keys_nothing_can_be_left() -> None:
    assert built()["left"]["key_backups_until"] is None


def test_with_backups_it_says_until_when_they_can_hold_the_keys() -> None:
    left = built(30, keys_ms=DAY)["left"]
    assert (left["key_backup_days"], left["key_backups_until"]) == (30, "1970-02-01T00:00:00.000Z")


def test_what_is_the_database_servers_affair_is_said() -> None:
    assert built()["left"]["database"] == certificate.OVERWRITTEN
    assert built(scrubbed=False)["left"]["database"] == certificate.SERVERS


@pytest.mark.parametrize(
    "changed",
    [
        {"recording": "rec_b"},
        {"whole": False},
        {"reason": "retention"},
        {"tracks": []},
        {"manifest": {"head": "cc", "entries": 6}},
        {"done_ms": 2001},
        {"by": {"role": "server"}},
        {"scrubbed": False},
    ],
    ids=str,
)
def test_the_digest_is_of_everything_in_it(changed: dict[str, Any]) -> None:
    assert certificate.digest(built()) == certificate.digest(built())
    assert certificate.digest(built(**changed)) != certificate.digest(built())
