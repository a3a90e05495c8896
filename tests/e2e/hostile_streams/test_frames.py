"""Frames that cannot be taken, break the protocol, are too large or too many: an error frame or a defined close."""

import json
import threading

import psutil
import pytest
from wsproto.frame_protocol import Opcode

from tests.factories.payments import MEMBERS
from tests.factories.stack import Stack
from tests.factories.stream_socket import StreamSocket, frame_bytes, text_bytes
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

BYE = text_bytes('{"type":"bye"}')
MOST_UNREADABLE = 10
MANY = 100_000


def assert_lives(socket: StreamSocket) -> None:
    """Assert that a socket still answers, whatever it was sent before."""
    socket.say(type="ping")
    assert socket.hear() == {"type": "pong"}


@pytest.mark.parametrize(
    "frame",
    [
        frame_bytes(Opcode.BINARY, b'{"type":"ping"}'),
        frame_bytes(Opcode.BINARY, b"a", fin=False) + frame_bytes(Opcode.CONTINUATION, b"b"),
        text_bytes(""),
        text_bytes('{"type":"event","seq":'),
        text_bytes("{" * 30_000),
        text_bytes("[" * 30_000),
        text_bytes('{"type":"event","seq":1,"event":' + '{"a":' * 5000 + "1" + "}" * 5001),
        text_bytes("null"),
        text_bytes("[]"),
        text_bytes('"hello"'),
        text_bytes('{"type":"dance"}'),
        text_bytes('{"type":7}'),
        text_bytes('{"seq":1}'),
        text_bytes('{"type":"text","seq":1,"text":"of the other stream"}'),
        text_bytes('{"type":"event","seq":1}'),
        text_bytes('{"type":"event","seq":1,"event":{},"more":1}'),
        text_bytes('{"type":"event","seq":1,"seq":"x","event":{}}'),
        text_bytes('{"type":"hello","token":{"a":1}}'),
        text_bytes('{"type":"hello","resume":"' + "x" * 5000 + '"}'),
        text_bytes('{"type":"event","seq":1,"event":{"event_id":"\\ud800"}, "x"}'),
        *(
            text_bytes(f'{{"type":"event","seq":{seq},"event":{{}}}}')
            for seq in ("0", "-1", "9223372036854775808", "1e400", "1.5", "1.0e-1", '"1"', "null", "true", "[1]", "NaN")
        ),
    ],
)  # fmt: skip
def test_ten_frames_in_a_row_that_cannot_be_taken_end_the_socket(socket: StreamSocket, frame: bytes) -> None:
    socket.put(*[frame] * (MOST_UNREADABLE - 1))
    errors = [socket.hear() for _ in range(MOST_UNREADABLE - 1)]
    assert {error["type"] for error in errors} == {"error"}
    assert_lives(socket)

    socket.put(*[frame] * MOST_UNREADABLE)
    errors, close_code = socket.hear_all()
    assert ({error["type"] for error in errors}, len(errors), close_code) == ({"error"}, MOST_UNREADABLE, 1008)


@pytest.mark.parametrize("seq", [2, 1000, 2**53 - 1])
def test_a_gap_is_an_error_and_the_next_number_is_still_the_next(socket: StreamSocket, seq: int) -> None:
    socket.say(type="event", seq=seq, event={**MEMBERS, "account_id": "gap"})
    assert socket.hear()["code"] == "sequence_skipped"

    assert socket.ask({**MEMBERS, "account_id": "gap", "event_id": f"gap-{seq}"})["type"] == "score"


@pytest.mark.parametrize(
    ("sent", "close_code"),
    [
        (frame_bytes(Opcode.TEXT, b'{"type":"ping"}', is_masked=False), 1002),
        (frame_bytes(Opcode.TEXT, b'{"type":"ping"}', rsv=4), 1002),
        (frame_bytes(Opcode.TEXT, b'{"type":"ping"}', rsv=3), 1002),
        (frame_bytes(3, b"reserved"), 1002),
        (frame_bytes(11, b"reserved"), 1002),
        (frame_bytes(Opcode.PING, b"half", fin=False), 1002),
        (frame_bytes(Opcode.PING, b"p" * 126), 1002),
        (frame_bytes(Opcode.CONTINUATION, b"of nothing"), 1002),
        (frame_bytes(Opcode.TEXT, b"{", fin=False) + frame_bytes(Opcode.TEXT, b"}"), 1002),
        (b"\x81\xff" + b"\xff" * 8 + b"mask", 1002),
        (text_bytes("\ud800"), 1007),
        (frame_bytes(Opcode.TEXT, b"\xc3\xa4\xff"), 1007),
        (frame_bytes(Opcode.TEXT, b"\xc3", fin=False) + frame_bytes(Opcode.CONTINUATION, b""), 1007),
        (frame_bytes(Opcode.CLOSE, (3000).to_bytes(2, "big")), 3000),
        (frame_bytes(Opcode.CLOSE, (4999).to_bytes(2, "big") + b"own reasons"), 4999),
        (frame_bytes(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"r" * 123), 1000),
        (frame_bytes(Opcode.CLOSE), 1005),
        (frame_bytes(Opcode.CLOSE, b"\x03"), 1002),
        *((frame_bytes(Opcode.CLOSE, code.to_bytes(2, "big")), 1002) for code in (0, 999, 1005, 1006, 1015, 5000)),
        (frame_bytes(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"\xff"), 1007),
        (frame_bytes(Opcode.CLOSE, (1000).to_bytes(2, "big") + b"r" * 124), 1002),
    ],
)  # fmt: skip
def test_what_breaks_the_protocol_closes_the_socket_by_its_codes(
    socket: StreamSocket, sent: bytes, close_code: int
) -> None:
    socket.put(sent)

    assert socket.close_code() == close_code


@pytest.mark.parametrize("opcode", [Opcode.TEXT, Opcode.BINARY])
@pytest.mark.parametrize("pieces", [1, 100, 1_000_000])
def test_ten_megabytes_are_too_much_in_however_many_pieces(socket: StreamSocket, opcode: Opcode, pieces: int) -> None:
    piece = b"a" * (10_000_000 // pieces)
    middle = frame_bytes(Opcode.CONTINUATION, piece, fin=False)
    socket.put(frame_bytes(opcode, piece, fin=pieces == 1), *[middle * min(pieces, 1000)] * (pieces // 1000 or 1))

    assert socket.close_code() == 1009


def test_largest_frame_is_counted_in_bytes(socket: StreamSocket) -> None:
    socket.put(text_bytes('{"type":"ping","more":"' + "\N{SAILBOAT}" * 22_000 + '"}'))

    assert socket.close_code() == 1009


def web_worker(stack: Stack) -> psutil.Process:
    """Return the one gunicorn worker."""
    master = min(stack.find("galley-web"), key=lambda process: process.create_time())
    [worker] = master.children()
    return worker


FLOODS = [
    text_bytes('{"type":"ping"}'),
    frame_bytes(Opcode.PING, b"p" * 125),
    text_bytes(json.dumps({"type": "event", "seq": 1, "event": {**MEMBERS, "account_id": "flood"}})),
]


@pytest.mark.parametrize("frame", FLOODS)
def test_floods_are_answered_in_whole_frames(socket: StreamSocket, frame: bytes) -> None:
    flood = threading.Thread(target=socket.put, args=[*[frame * 100] * (MANY // 1000), BYE])
    flood.start()
    frames, close_code = socket.hear_all()
    flood.join()

    # Events that come too fast have been answered, and are refused for it.
    assert {one.get("code", one["type"]) for one in frames} <= {"pong", "score", "rate_limited"}
    assert close_code == 1000


@pytest.mark.parametrize("frame", FLOODS)
def test_who_sends_and_never_reads_costs_little_and_is_closed(single: Stack, token: str, frame: bytes) -> None:
    worker = web_worker(single)
    before = worker.memory_info().rss
    with StreamSocket(single.port) as socket:
        session = socket.greet(token)["session"]
        flood = threading.Thread(target=socket.put, args=[frame * 100] * (MANY // 100))
        flood.start()
        flood.join()
        assert worker.memory_info().rss - before < 20 * 2**20
        socket.put(BYE)
        wait_until(lambda: session in single.log_of("web"))

    assert closed_with(single, session) in (1000, 1008)


def closed_with(stack: Stack, session: str) -> int:
    """Return the close code that the web worker logged of a session."""
    [line] = [line for line in stack.log_of("web").splitlines() if session in line]
    code: int = json.loads(line)["close_code"]
    return code


def test_a_message_without_end_takes_no_memory(single: Stack, socket: StreamSocket) -> None:
    worker = web_worker(single)
    before = worker.memory_info().rss
    socket.put(frame_bytes(Opcode.TEXT, b"", fin=False))
    nothings = frame_bytes(Opcode.CONTINUATION, b"", fin=False) * 10_000
    socket.put(*[nothings] * 200)
    socket.put(frame_bytes(Opcode.CONTINUATION, b'{"type":"ping"}'))

    assert socket.hear() == {"type": "pong"}
    assert worker.memory_info().rss - before < 10 * 2**20


def test_more_events_than_there_are_credits_close_the_socket(single: Stack, token: str) -> None:
    with StreamSocket(single.port) as socket:
        most = socket.greet(token)["credits"]
        events = [{**MEMBERS, "account_id": "credits", "event_id": f"c-{n}"} for n in range(4 * most)]
        frames = [{"type": "event", "seq": n, "event": event} for n, event in enumerate(events, 1)]
        socket.put(b"".join(text_bytes(json.dumps(frame)) for frame in frames))
        frames, close_code = socket.hear_all()

    assert (frames[-1]["code"], close_code) == ("out_of_credits", 1008)
    assert {frame["type"] for frame in frames[:-1]} <= {"score"}
