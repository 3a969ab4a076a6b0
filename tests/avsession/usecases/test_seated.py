"""Which connection came by which sign-in."""

from avsession.usecases.seated import KEEP, Seated


def test_a_sign_out_reaches_its_own_connections_and_no_other() -> None:
    seated = Seated()
    seated.note("one", b"a")
    seated.note("two", b"b")
    seated.note("three", b"a")
    seated.note("customer", None)
    assert seated.sign_out(b"a") == ["one", "three"]
    assert [seated.is_out(who) for who in ("one", "two", "three", "customer")] == [
        True, False, True, False,
    ]  # fmt: skip


def test_whoever_comes_again_by_another_sign_in_is_in() -> None:
    seated = Seated()
    seated.note("one", b"a")
    seated.sign_out(b"a")
    seated.note("one", b"b")
    assert not seated.is_out("one")
    seated.note("one", b"a")
    assert seated.is_out("one")
    seated.forget("one")
    assert not seated.is_out("one")


def test_what_is_remembered_is_bounded() -> None:
    seated = Seated()
    seated.note("one", b"first")
    for number in range(KEEP + 1):
        seated.sign_out(str(number).encode())
    assert not seated.is_out("one")
    assert len(seated._out) == KEEP
