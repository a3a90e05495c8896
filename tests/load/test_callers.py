"""Callers send what a client would: each user by its own client, the popular ones more often."""

import json
import struct
from collections import Counter
from pathlib import Path

from tests.load.callers import BYPASS, DRAWS, USERS, Callers
from tests.load.stack import Stack

TOKENS = ("one", "two", "three")
STACK = Stack(url="http://127.0.0.1:8000", token="admin", launcher_pid=0, environment={"VAR_DIR": "var"})


def records(path: Path) -> list[bytes]:
    whole, found, at = path.read_bytes(), [], 0
    while at < len(whole):
        (size,) = struct.unpack_from("<I", whole, at)
        found.append(whole[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def test_requests_are_whole_and_drawn() -> None:
    with Callers(stack=STACK, tokens=TOKENS).asking(BYPASS).requests() as path:
        sent = records(path)

    seen = Counter()  # type: Counter[int]
    for request in sent:
        head, _, body = request.partition(b"\r\n\r\n")
        user = json.loads(body)["user_id"]
        assert head.startswith(b"POST /api/v1/recommendations HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n")
        assert f"\r\nAuthorization: Bearer {TOKENS[user % 3]}\r\n".encode() in head
        assert b"\r\nCache-Control: no-cache\r\n" in head
        assert head.endswith(f"\r\nContent-Length: {len(body)}".encode())
        seen[user] += 1
    assert len(sent) == DRAWS
    assert set(seen) <= set(range(1, USERS + 1))
    assert seen.most_common(1)[0][1] > DRAWS / 20
