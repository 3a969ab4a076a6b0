"""What a route says of who may call it: enough for the sign-in, the errors and the description."""

import pytest

from avsession.errors import LinkSpent, NotPermitted, SignInRequired
from avsession.usecases import permissions
from tests.web.support import ORIGIN
from web import access
from web.access import WITHOUT, By, Reach
from web.app import TABLE
from web.openapi import document
from web.routing import Route

KNOWN = frozenset().union(*permissions.PERMISSIONS.values())


def test_a_refusal_for_everything_that_can_be_missing() -> None:
    assert set(By) - set(WITHOUT) == {By.NOTHING}
    assert access.ANYBODY.errors == access.BROWSER.errors == ()
    assert access.LINK.errors == (LinkSpent,)
    assert access.staff("hold").errors == (SignInRequired, NotPermitted)
    assert access.staff().errors == (SignInRequired,)


def test_it_is_said_in_a_sentence() -> None:
    assert access.ANYBODY.sentence == "Needs nothing."
    assert access.LINK.sentence == "Needs a private link; reaches only one's own."
    assert (
        access.own("session.own").sentence
        == "Needs a staff sign-in (cookie) with the permission session.own; "
        "reaches only one's own."
    )
    assert "own session" in access.LINK_SESSION.sentence


@pytest.mark.parametrize("route", TABLE, ids=lambda route: f"{route.method} {route.path}")
def test_a_route_asks_for_what_there_is(route: Route) -> None:
    found = route.access
    assert found.permission in KNOWN | {""}
    assert found.by is By.STAFF or not found.permission
    assert found.by not in (By.LINK, By.SEAT) or found.reach is not Reach.ALL


def test_the_description_names_the_permission_as_a_role() -> None:
    paths = document(TABLE, ORIGIN)["paths"]
    for route in TABLE:
        operation = paths[route.path][route.method.lower()]
        assert operation["description"] == route.access.sentence
        roles = [role for need in operation["security"] for of in need.values() for role in of]
        assert roles == ([route.access.permission] if route.access.permission else [])


def test_under_admin_only_staff_with_a_permission() -> None:
    for route in TABLE:
        if route.path.startswith("/api/admin/"):
            assert route.access.by is By.STAFF
            assert route.access.permission in permissions.PERMISSIONS["admin"]
