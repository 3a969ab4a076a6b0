import socket
from collections.abc import Iterator

import pytest

from recorder import sockets
from recorder.sockets import SLOT, SLOTS, STRIDE, Inlet


@pytest.fixture(params=[True, False], ids=["recvmmsg", "one by one"])
def batched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[bool]:
    """With the system call, and as on a system without it."""
    if not request.param:
        monkeypatch.setattr(sockets, "_recvmmsg", lambda: None)
    elif sockets._recvmmsg() is None:
        pytest.skip("no recvmmsg here")
    sockets._shared.cache_clear()
    yield request.param
    sockets._shared.cache_clear()


def bound(family: int, address: str) -> socket.socket:
    made = socket.socket(family, socket.SOCK_DGRAM)
    try:
        made.bind((address, 0))
    except OSError:
        made.close()
        pytest.skip("no such address here")
    return made


@pytest.mark.usefixtures("batched")
@pytest.mark.parametrize(
    ("family", "address"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_what_was_sent_is_read_whole_and_in_order(family: int, address: str) -> None:
    with bound(family, address) as receiver, bound(family, address) as sender:
        inlet = Inlet(receiver.fileno())
        batch = inlet.batch
        assert batch.receive(inlet) == 0
        for number in range(SLOTS + 3):
            sender.sendto(bytes([number]) * number, receiver.getsockname())
        read = []
        while count := batch.receive(inlet):
            for slot in range(count):
                length = batch.lengths[slot * STRIDE]
                read.append(bytes(batch.data[slot * SLOT : slot * SLOT + length]))
                source = sender.getsockname()[:2]
                assert batch.source(slot) == source
                assert (
                    tuple(batch.sources[4 * slot : 4 * slot + 3])[: 3 if batch.inet6 else 1]
                    == (batch.key(source)[: 3 if batch.inet6 else 1])
                )
        assert read == [bytes([number]) * number for number in range(SLOTS + 3)]
        inlet.close()


@pytest.mark.usefixtures("batched")
def test_another_address_has_another_key_and_a_long_datagram_is_seen() -> None:
    with (
        bound(socket.AF_INET, "127.0.0.1") as receiver,
        bound(socket.AF_INET, "127.0.0.1") as one,
        bound(socket.AF_INET, "127.0.0.1") as other,
    ):
        inlet = Inlet(receiver.fileno())
        batch = inlet.batch
        one.sendto(bytes(9000), receiver.getsockname())
        other.sendto(b"", receiver.getsockname())
        assert batch.receive(inlet) == 2
        assert batch.lengths[0] == SLOT
        assert batch.lengths[STRIDE] == 0
        assert batch.sources[0] == batch.key(one.getsockname())[0] != batch.sources[4]
        inlet.close()


def test_the_makers_socket_stays_its_own() -> None:
    with bound(socket.AF_INET, "127.0.0.1") as receiver:
        inlet = Inlet(receiver.fileno())
        inlet.close()
        receiver.setblocking(False)
        with pytest.raises(BlockingIOError):
            receiver.recv(1)
