"""A certificate's receipt: the log's entry tells what the certificate tells, in two languages."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from avsession.audit import receipt
from avsession.audit.certificate import Destroyed, _track
from avsession.canonical import canonical, sha256_hex
from tests.avsession.audit.test_receipt import Editing, again, certificate_of, file, proven, wrong

ERASED = file("erased")


def test_a_certificate_is_the_one_that_the_log_names() -> None:
    data = file("erased", "en")
    fields: dict[str, Any] = msgspec.to_builtins(receipt.read(data))
    fields["document"]["why"] = "retention"
    forged = receipt.render(msgspec.convert(fields, receipt.Receipt)).encode()
    assert wrong(forged) == ["document", "leaf"]


def kept_one_track(fields: Editing) -> None:
    fields["document"]["what"]["tracks"].pop()


def another_segment(fields: Editing) -> None:
    fields["document"]["what"]["tracks"][0]["segments_sha256"][1] = "2" * 64


def fewer_segments(fields: Editing) -> None:
    fields["document"]["what"]["tracks"][0]["segments"] = 2


def another_person(fields: Editing) -> None:
    fields["document"]["by"]["pseudonym"] = "psn_2"


def of_another_recording(fields: Editing) -> None:
    fields["document"]["what"]["recording"] = "rec_2"


def not_the_whole(fields: Editing) -> None:
    fields["document"]["what"]["whole"] = False


ERASED_FORGERIES = (
    kept_one_track, another_segment, fewer_segments, another_person, of_another_recording,
    not_the_whole,
)  # fmt: skip


def fitting(change: Any) -> bytes:
    """By whoever has the log's key: the entry names the changed certificate's digest."""

    def forge(fields: Editing) -> None:
        change(fields)
        leaf = json.loads(fields["leaf"])
        leaf["refs"]["sha256"] = sha256_hex(canonical(fields["document"]))
        fields["leaf"] = canonical(leaf).decode()
        fields["proof"] = proven(leaf).text

    return again(forge, ERASED)


@pytest.mark.parametrize("change", ERASED_FORGERIES)
def test_nor_can_the_log_name_a_certificate_that_it_does_not_tell(change: Any) -> None:
    """Not even with the digest of the changed certificate in the entry."""
    assert wrong(again(change, ERASED)) == ["document", "leaf"]
    assert wrong(fitting(change)) == ["leaf"]


def test_a_certificate_is_told_in_the_partys_language() -> None:
    for language, told in (
        ("en", ("The whole recording", "Consent was withdrawn", "The customer",
                "Customer: 3 sealed segments", "None are made", "Test &amp; Söhne")),
        ("de", ("Die ganze Aufzeichnung", "Die Einwilligung wurde widerrufen",
                "Beraterin oder Berater: 0 versiegelte", "bis 22.12.2025")),
    ):  # fmt: skip
        page = file("erased", language).decode().partition(receipt.OPEN)[0]
        for text in told:
            assert text in page


def test_a_long_calls_certificate_fits() -> None:
    """Two parties, a segment a second, a day: only the digests grow."""
    tracks = [
        Destroyed(track="trk_1", recipient="r", role="customer", segments=("0" * 64,) * 86_400)
    ] * 2
    document = certificate_of(0) | {"what": {"tracks": [_track(t) for t in tracks]}}
    assert len(canonical(document)) < receipt.MAX_RECEIPT * 0.9
