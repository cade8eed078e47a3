"""The private network's hub, and what machines on it are told."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from harness.platform.parts.hub import Hub


@pytest.fixture
def hub() -> Iterator[Hub]:
    made = Hub()
    yield made
    made.close()


@pytest.fixture
def ports(hub: Hub) -> Iterator[list[socket.socket]]:
    found = [hub.port() for _ in range(3)]
    for port in found:
        port.settimeout(5)
    yield found
    for port in found:
        port.close()


def test_all_others_hear_a_frame_whole(ports: list[socket.socket]) -> None:
    frame = bytes(range(256)) * 6
    ports[0].send(frame)
    assert [port.recv(4096) for port in ports[1:]] == [frame, frame]
    ports[0].setblocking(False)
    with pytest.raises(BlockingIOError):
        ports[0].recv(4096)


def test_one_that_is_gone_does_not_disturb_the_others(ports: list[socket.socket]) -> None:
    ports[1].close()
    for number in range(5):
        ports[0].send(bytes([number]))
        assert ports[2].recv(16) == bytes([number])


def test_one_that_does_not_listen_does_not_stop_the_others(ports: list[socket.socket]) -> None:
    for number in range(2000):
        ports[0].send(number.to_bytes(2, "big"))
        assert ports[2].recv(16) == number.to_bytes(2, "big")


def test_frames_of_two_networks_stay_apart(ports: list[socket.socket]) -> None:
    other = Hub()
    try:
        with other.port() as outside, other.port() as neighbour:
            neighbour.settimeout(5)
            ports[0].send(b"inside")
            outside.send(b"outside")
            assert ports[1].recv(16) == b"inside"
            assert neighbour.recv(16) == b"outside"
    finally:
        other.close()
