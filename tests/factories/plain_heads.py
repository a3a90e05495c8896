"""Requests as bytes: plain ones, and ones that differ from them where parsers of HTTP have come to differ."""

from collections.abc import Callable
from typing import Final

from hypothesis import strategies as st

Mutation = Callable[[bytes], bytes]

NAMES: Final = (b"Accept", b"Authorization", b"Cache-Control", b"Content-Type", b"X-Subject", b"X--odd-", b"user-agent")
BODIES: Final = (
    b'{"user_id":7}',
    b"x",
    b"POST / HTTP/1.1\r\nHost: galley\r\nContent-Length: 1\r\n\r\nx",
    b"\0\xff\r\n",
)


def plain_request(
    body: bytes = b'{"user_id":7}', *headers: bytes, path: bytes = b"/api/v1/recommendations", size: bytes | None = None
) -> bytes:
    """Return a plain request with these headers besides Host and Content-Length, each without its line end."""
    length = b"Content-Length: %b" % (b"%d" % len(body) if size is None else size)
    lines = [b"POST %b HTTP/1.1" % path, b"Host: galley", *headers, length]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def plain_read(*headers: bytes, path: bytes = b"/api/v1/jobs/0f") -> bytes:
    """Return a plain GET with these headers besides Host, each without its line end."""
    lines = [b"GET %b HTTP/1.1" % path, b"Host: galley", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def with_line(line: bytes) -> Mutation:
    """Return what adds a line at the end of the head."""
    return lambda data: data.replace(b"\r\n\r\n", b"\r\n%b\r\n\r\n" % line, 1)


def swapping(old: bytes, new: bytes) -> Mutation:
    """Return what replaces the first `old`."""
    return lambda data: data.replace(old, new, 1)


LINES: Final = (
    b"Content-Length: 13",
    b"content-length: 1",
    b"Content-Length: 13, 13",
    b"Content_Length: 1",
    b"Content-Length : 1",
    b"Transfer-Encoding: chunked",
    b"Transfer-Encoding: identity",
    b"transfer-encoding:\tchunked",
    b"Host: elsewhere",
    b"Content-Type: text/plain",
    b"X-Subject: again",
    b"X_Subject: underscore",
    b"X-Folded: one\r\n two",
    b"X-Folded: one\r\n\ttwo",
    b" X-Leading: space",
    b"X-Null: a\0b",
    b"X-Bare: a\nContent-Length: 0",
    b"X-Bare: a\rb",
    b"X-Eight: \xe9",
    b"X-Tab:\tvalue\t",
    b"X-Spaces:   value  ",
    b"X-None:value",
    b"X-Empty:",
    b"X-Empty: ",
    b"X-Delete: \x7f",
    b"No colon",
    b": no name",
    b"Expect: 100-continue",
    b"Expect: something",
    b"Upgrade: h2c",
    b"Upgrade: websocket",
    b"Connection: close",
    b"Connection: Close",
    b"Connection: Keep-Alive",
    b"Connection: keep-alive, Upgrade",
    b"TE: trailers",
    b"Trailer: Content-Length",
    b"Keep-Alive: timeout=5",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off",
    b"X-Forwarded-Proto: https\r\nX-Forwarded-Protocol: http",
    b"SCRIPT_NAME: /api",
    b"Script-Name: /api",
    b"Remote-User: admin",
    b"X-Long: " + b"a" * 5000,
    b"\r\n".join(b"X-%d: many" % number for number in range(48)),
    b"\r\n".join(b"X-%d: more" % number for number in range(49)),
    b"\r\n".join(b"X-%d: too many" % number for number in range(120)),
)
SWAPS: Final = (
    (b"POST", b"GET"),
    (b"GET", b"POST"),
    (b"GET", b"HEAD"),
    (b"GET", b"get"),
    (b"POST", b"post"),
    (b"POST ", b"POST  "),
    (b"POST ", b"POST\t"),
    (b"HTTP/1.1", b"HTTP/1.0"),
    (b"HTTP/1.1", b"HTTP/2.0"),
    (b"HTTP/1.1", b"http/1.1"),
    (b"HTTP/1.1", b"HTTP/1.1 "),
    (b" HTTP/1.1", b""),
    (b" /", b" //"),
    (b" /", b" http://galley/"),
    (b" /", b" *"),
    (b" /api", b" /%2e%2e/api"),
    (b" /api", b" /../api"),
    (b" /api", b" /api?a=b&"),
    (b" /api", b" /api#a"),
    (b" /api", b" /a:b;c@d"),
    (b" /api", b" /\xe9"),
    (b" /api", b" /\0"),
    (b"\r\n", b"\n"),
    (b"\r\n", b"\r"),
    (b"\r\n", b"\r\n\r\n"),
    (b"\r\n\r\n", b"\n\n"),
    (b"\r\n\r\n", b"\r\n\n"),
    (b"POST", b"\r\nPOST"),
    (b"Host: galley\r\n", b""),
    (b"Host", b"HOST"),
    (b": ", b":"),
    (b": ", b" : "),
    (b"Content-Length: ", b"Content-Length: +"),
    (b"Content-Length: ", b"Content-Length: 0"),
    (b"Content-Length: ", b"Content-Length: 1"),
    (b"Content-Length: ", b"Content-Length: 0x"),
    (b"Content-Length: ", b"Content-Length: -"),
    (b"Content-Length: ", b"Content-Lengths: "),
)
MUTATIONS: Final = (*map(with_line, LINES), *(swapping(old, new) for old, new in SWAPS))


@st.composite
def byte_changes(draw: st.DrawFn) -> Mutation:
    """Draw a change of one byte, or of a few, anywhere in what arrives."""
    place, taken = draw(st.integers(0, 250)), draw(st.integers(0, 3))
    put = draw(
        st.sampled_from([b"", b"\n", b"\r", b" ", b"\t", b":", b"\0", b"_", b",", b"\xe9"]) | st.binary(max_size=3)
    )
    return lambda data: data[:place] + put + data[place + taken :]


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """Draw a header line, most often a plain one."""
    name = draw(st.sampled_from(NAMES))
    value = draw(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20) | st.just("Bearer a.b-c_d"))
    return b"%b: %b" % (name, value.encode())


@st.composite
def arrivals(draw: st.DrawFn) -> bytes:
    """Draw what arrives on a connection: one to three requests, the first of which may be changed, or cut off."""
    lines = draw(st.lists(headers(), max_size=4))
    first = draw(st.sampled_from([plain_read(*lines), *(plain_request(body, *lines) for body in BODIES)]))
    for mutation in draw(st.lists(st.sampled_from(MUTATIONS) | byte_changes(), max_size=2)):
        first = mutation(first)
    data = first + b"".join(plain_request(body) for body in draw(st.lists(st.sampled_from(BODIES), max_size=2)))
    return data[: draw(st.integers(0, len(data)))] if draw(st.integers(0, 5)) == 5 else data
