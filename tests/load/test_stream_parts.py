"""What a process does for a stream is told by parts."""

import pytest

from tests.load.python_profile import Parts, part_of
from tests.load.stream_parts import SEQUENCE_PARTS, STREAM_PARTS

STACKS = [
    (STREAM_PARTS, "frames", "_next_message (app/web/sockets/connection.py:150)", "receive_data (wsproto/frame.py:9)"),
    (STREAM_PARTS, "sessions", "fraud_stream (app/web/sockets/routes.py:3)", "uuid4 (uuid.py:1)"),
    (STREAM_PARTS, "runner client", "fraud_stream (app/web/sockets/routes.py:3)", "ask (app/inference/client.py:9)"),
    (STREAM_PARTS, "event loop", "run (gevent/hub.py:7)"),
    (SEQUENCE_PARTS, "state in Redis", "read (workers/runner/sequence_store.py:81)", "mget (redis/commands/core.py:1)"),
    (SEQUENCE_PARTS, "features", "resume (workers/runner/sequences.py:4)", "advance (app/scenarios/x.py:1)"),
    (SEQUENCE_PARTS, "model", "forward (torch/nn/modules/module.py:1)"),
]  # fmt: skip


@pytest.mark.parametrize(("parts", "name", "frames"), [(parts, name, frames) for parts, name, *frames in STACKS])
def test_innermost_frame_that_is_known_names_the_part(parts: Parts, name: str, frames: list[str]) -> None:
    assert part_of(frames, parts) == name
