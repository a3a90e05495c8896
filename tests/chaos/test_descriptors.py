"""Descriptors are named by what they lead to, also where only the kernel knows the other end."""

import os
import socket
from collections import Counter
from contextlib import ExitStack, closing
from pathlib import Path

from tests.chaos.descriptors import descriptors_of, unix_peers


def held() -> Counter[str]:
    return descriptors_of(os.getpid(), unix_peers())


def test_both_ends_of_unix_sockets(tmp_path: Path) -> None:
    path, before = f"{tmp_path}/s", held()
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as near:
        listener.bind(path)
        listener.listen()
        near.connect(path)
        with listener.accept()[0]:
            assert held() - before == {f"unix at {path}": 2, f"unix to {path}": 1}


def test_both_ends_of_tcp_sockets_and_who_closed_them() -> None:
    before = held()
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as ends:
        port = listener.getsockname()[1]
        near = ends.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
        far = ends.enter_context(closing(listener.accept()[0]))
        assert held() - before == {
            f"tcp, listening at {port}": 1,
            f"tcp, accepted at {port}": 1,
            f"tcp to {port}": 1,
        }

        far.shutdown(socket.SHUT_WR)
        assert near.recv(1) == b""
        assert held()[f"tcp to {port}, closed by the other end"] == 1


def test_files_and_pipes(tmp_path: Path) -> None:
    before = held()
    with ExitStack() as files:
        files.enter_context((tmp_path / "file").open("w"))
        for end in os.pipe():
            files.callback(os.close, end)
        assert held() - before == {f"{tmp_path}/file": 1, "pipe": 2}
