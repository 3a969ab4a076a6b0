"""What stands in a receipt beside its document is what the document says."""

from __future__ import annotations

import pytest

from avsession.audit import receipt
from tests.avsession.audit.test_receipt import (
    KEY,
    again,
    another_address,
    file,
    no_notice,
    wrong,
)


@pytest.mark.parametrize("kind", ["refused", "withdrawn"])
def test_a_notice_that_was_shown_cannot_be_left_out(kind: str) -> None:
    assert wrong(again(no_notice, file(kind))) == ["notice"]


def test_a_certificates_address_is_in_it() -> None:
    assert wrong(again(another_address, file("erased"))) == ["address"]


def test_an_older_receipt_holds_and_says_what_the_log_does_not_cover() -> None:
    """Its language is the notice's; without a notice that is not covered either."""
    for kind, expected in (("given", True), ("erased", None)):
        verdict = receipt.verify(file(kind, older=True), KEY)
        assert verdict.holds
        told = {step.name: step for step in verdict.steps}
        assert told["address"].holds is None
        assert "not covered by the log" in told["address"].detail
        assert told["language"].holds is expected
