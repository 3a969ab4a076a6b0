import pytest

from avsession.errors import NotPermitted
from avsession.usecases import permissions
from avsession.usecases.permissions import HOMES, PERMISSIONS, Principal, require


def somebody(role: str) -> Principal:
    return Principal(
        account="acc_" + "a" * 26,
        name="Ada",
        role=role,
        permissions=PERMISSIONS[role],
        auth=b"x" * 32,
        pseudonym="psn_" + "a" * 26,
    )


def test_a_permission_is_needed() -> None:
    require(somebody("agent"), permissions.SESSION_CREATE)
    with pytest.raises(NotPermitted):
        require(somebody("agent"), permissions.RECORDING_PLAY)


def test_no_role_both_makes_calls_and_reviews_them() -> None:
    assert not PERMISSIONS["agent"] & PERMISSIONS["admin"]


def test_every_role_has_a_home() -> None:
    assert HOMES.keys() == PERMISSIONS.keys()
    assert somebody("admin").home == "/admin"
    assert somebody("agent").home == "/"
