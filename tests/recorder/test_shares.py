from recorder.shares import DTLS_A_SECOND, DTLS_LATER, FLOOD_SECONDS, Flood, Share, Shares


def test_so_many_a_second_and_then_anew() -> None:
    share = Share(3)
    assert [share.takes(10.0 * n) for n in range(5)] == [True, True, True, False, False]
    assert not share.takes(999.0)
    assert share.takes(1_000.0)


def test_so_many_in_all() -> None:
    share = Share(2, in_all=3)
    taken = [share.takes(600.0 * n) for n in range(20)]
    assert sum(taken) == 3
    assert taken[:3] == [True] * 3


def test_after_the_handshake_dtls_has_an_end() -> None:
    shares = Shares()
    assert all(shares.dtls.takes(0.0) for _ in range(DTLS_A_SECOND))
    assert not shares.dtls.takes(0.0)
    shares.connected()
    assert sum(shares.dtls.takes(100.0 * n) for n in range(10 * DTLS_LATER)) == DTLS_LATER


def test_strangers_have_a_share_of_their_own() -> None:
    strangers, peer = Shares().stun
    while strangers.takes(0.0):
        pass
    assert peer.takes(0.0)


def test_only_what_lasts_is_a_flood() -> None:
    flood = Flood(8_000)  # 1000 bytes a second are agreed
    size = 0
    found = []
    for second, rate in enumerate([6000, 6000, 4000, 6000, 6000, 6000, 6000]):
        size += rate
        found.append(flood.lasts(1_000.0 * second, size))
    assert found == [False, False, False, False, False, True, True]
    assert FLOOD_SECONDS == 3
