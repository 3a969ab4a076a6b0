"""PERMISSIONS.md is what the code says, and nobody is forgotten in it.

That the code does what it says is held by test_callers.py.
"""

from pathlib import Path

import pytest

from avsession.usecases.permissions import PERMISSIONS
from web import permissions
from web.access import By, Reach
from web.app import TABLE
from web.permissions import HOLDS, SAID, Caller, cell, refusal

FILE = Path(permissions.__file__).parent / "PERMISSIONS.md"
ROUTES = {(route.method, route.path): route for route in TABLE}


def test_the_file_is_what_the_code_prints() -> None:
    assert FILE.read_text("utf-8") == permissions.text(), (
        "run: python -m web.permissions > web/PERMISSIONS.md"
    )


def test_every_operation_caller_and_permission_is_in_it() -> None:
    lines = permissions.text().splitlines()
    assert set(Caller) == set(SAID) == set(HOLDS)
    for route in TABLE:
        (row,) = [line for line in lines if line.startswith(f"| {route.method} `{route.path}` |")]
        assert row.count("|") == len(Caller) + 3
        assert "| |" not in row.replace("  ", " ")
    for name in frozenset().union(*PERMISSIONS.values()):
        assert any(line.startswith(f"| `{name}` |") for line in lines)


@pytest.mark.parametrize(
    ("operation", "allowed"),
    [
        ("GET /api/admin/recordings", "admin only"),
        ("GET /api/admin/access/{access}/tracks/{track}.webm", "admin"),
        ("POST /api/sessions/{session}/end", "agent"),
        ("POST /api/sessions", "agent other_agent only"),
        ("GET /api/me", "agent other_agent admin only all_but"),
        ("POST /api/my-data", "customer stranger agent other_agent"),
        ("POST /api/my-data/withdraw", "customer agent"),
        ("POST /api/my-data/exports/allow", "customer"),
        ("POST /api/my-data/by-receipt", "receipt"),
        ("POST /api/seat/receipt", "customer"),
        ("POST /api/join", "customer stranger"),
        ("GET /metrics", "machine"),
        ("GET /api/about", " ".join(caller.name.lower() for caller in Caller)),
    ],
)
def test_who_may(operation: str, allowed: str) -> None:
    method, _, path = operation.partition(" ")
    found = {caller for caller in Caller if refusal(ROUTES[method, path], caller) is None}
    assert found == {Caller[name.upper()] for name in allowed.split()}


def test_a_caller_with_nothing_reaches_no_person() -> None:
    """What anybody may call is about nobody, or about what their own browser holds."""
    for route in TABLE:
        if refusal(route, Caller.NOBODY) is None:
            assert route.access.by is By.NOTHING
            assert cell(route, Caller.NOBODY) in ("yes", "own")
            assert route.access.reach is not Reach.SESSION
            assert not route.addresses
