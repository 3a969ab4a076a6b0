"""The gate in memory: small, synchronous, and closed unless all is well."""

from avsession.usecases.gate import ANY, KEEP, MAX_BARS, Gate, OpenGate


def a_gate(generation: int = 1, session: str = "s", request: str = "q") -> OpenGate:
    return OpenGate(
        session=session,
        request=request,
        recording=f"r-{session}",
        generation=generation,
        worker="w",
        fingerprint="f",
        parties=frozenset({"a", "c"}),
    )


def opened(generation: int = 1) -> Gate:
    gate = Gate()
    gate.prepare(a_gate(generation))
    prepared = gate.of_party("a")
    assert prepared is not None
    assert gate.open(prepared)
    return gate


def test_what_is_prepared_is_not_live() -> None:
    gate = Gate()
    gate.prepare(a_gate())
    assert gate.of_session("s") is gate.live("r-s", 1) is None
    assert gate.of_worker("w") == []
    assert gate.of_party("a") == a_gate()


def test_live_is_exactly_this_generation_of_this_recording() -> None:
    gate = opened(3)
    assert gate.live("r-s", 3) == gate.of_session("s") == gate.of_party("c") == a_gate(3)
    assert gate.live("r-s", 2) is gate.live("r-s", 4) is gate.live("other", 3) is None
    assert gate.of_worker("w") == [a_gate(3)]
    assert gate.of_party("stranger") is None


def test_closing_remembers_when() -> None:
    gate = opened()
    assert gate.close("s", 1000) == a_gate()
    assert gate.closed_ms("r-s", 1) == 1000
    assert gate.of_session("s") is None
    assert gate.close("s", 2000) is None
    assert gate.closed_ms("r-s", 1) == 1000


def test_closing_an_older_generation_leaves_the_newer_alone() -> None:
    gate = opened(3)
    gate.waiting["s"] = 0
    assert gate.close("s", 1000, 1) is None
    assert gate.of_session("s") is not None
    assert gate.close("s", 1000, 3) is not None
    assert not gate.waiting


def test_what_is_closed_while_it_is_prepared_does_not_open() -> None:
    gate, prepared = Gate(), a_gate()
    gate.prepare(prepared)
    assert gate.close("s", 1000) is prepared
    assert not gate.open(prepared)
    assert gate.closed_ms("r-s", 1) == 1000


def test_what_is_abandoned_does_not_open() -> None:
    gate, prepared = Gate(), a_gate()
    gate.prepare(prepared)
    gate.abandon("s")
    assert not gate.open(prepared)
    assert gate.of_party("a") is None


def test_a_bar_keeps_only_its_own_request_from_opening() -> None:
    for party, request, opens in (
        ("a", "q", False), ("c", ANY, False), ("a", "other", True), ("stranger", ANY, True),
    ):  # fmt: skip
        gate, prepared = Gate(), a_gate()
        gate.bar(party, request)
        gate.prepare(prepared)
        assert gate.open(prepared) is opens
        assert (gate.of_session("s") is not None) is opens


def test_a_bar_is_lifted_once_and_forgotten_with_its_party() -> None:
    gate = Gate()
    assert gate.bar("a", "q")
    assert not gate.bar("a", "q")
    gate.unbar("a", "q")
    gate.unbar("a", "q")
    assert not gate.barred("q", ["a"])
    gate.bar("a")
    gate.forget("a")
    assert not gate.barred("q", ["a"])


def test_nobody_can_fill_the_memory() -> None:
    gate = Gate()
    for n in range(10 * MAX_BARS):
        gate.bar("a", f"request-{n}")
    assert len(gate._bars["a"]) == MAX_BARS + 1
    assert gate.barred("any other", ["a"])
    gate.forget("a")
    for n in range(2 * KEEP):
        one = a_gate(session=f"s-{n}")
        gate.prepare(one)
        gate.open(one)
        gate.close(one.session, n)
    assert len(gate._closed) == KEEP
    assert gate.closed_ms(f"r-s-{2 * KEEP - 1}", 1) == 2 * KEEP - 1
