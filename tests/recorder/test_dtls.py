import pytest

from recorder.dtls import MAX_DTLS_WAITING, DtlsPipe, without_plain_alerts


async def test_the_pipe_is_bounded_and_can_be_ended() -> None:
    sent: list[bytes] = []
    pipe = DtlsPipe(sent.append)
    await pipe._send(b"out")
    assert sent == [b"out"]
    for number in range(2 * MAX_DTLS_WAITING):
        pipe.put(b"%d" % number)
    assert await pipe._recv() == b"0"
    pipe.put(b"again")
    pipe.put(None)  # is heard even when the queue is full
    read = [await pipe._recv() for _ in range(MAX_DTLS_WAITING - 1)]
    assert read[0] == b"2"
    with pytest.raises(ConnectionError):
        await pipe._recv()


def test_plain_alerts_are_taken_out_of_a_datagram() -> None:
    alert = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"
    hello = b"\x16\xfe\xfd" + bytes(8) + b"\x00\x03abc"
    sealed = b"\x15\xfe\xfd\x00\x01" + bytes(6) + b"\x00\x02xy"
    assert without_plain_alerts(alert) == b""
    assert without_plain_alerts(alert + hello + alert + sealed) == hello + sealed
    assert without_plain_alerts(hello + alert[:9]) == hello
