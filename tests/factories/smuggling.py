"""Requests whose end two readers may see in different places, each with another request hidden behind that end."""

from collections.abc import Callable
from typing import Final

HIDDEN_PATH: Final = "/api/v1/hidden"
TARGET: Final = "/api/v1/recommendations"

# Makes the bytes of an outer request around the hidden one.
Attack = Callable[[bytes], bytes]


def hidden(name: str) -> bytes:
    """Return the request that nobody may answer."""
    return request(f"GET {HIDDEN_PATH} HTTP/1.1", f"X-Request-ID: hidden-{name}", "X-Hidden: a")


def request(line: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a request with exactly these lines, and a Host."""
    return "\r\n".join([line, "Host: galley", *headers, "", ""]).encode("latin-1") + body


def posted(*headers: str) -> Callable[[bytes], bytes]:
    """Return what posts a body under these headers, whatever they say of it."""
    return lambda body: request(f"POST {TARGET} HTTP/1.1", "X-Request-ID: outer", *headers, body=body)


def chunks(*pieces: bytes) -> bytes:
    """Return a body in chunks."""
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (*pieces, b""))


def _with_length(*headers: str) -> Attack:
    """Return an attack whose body ends before the hidden request to who believes the chunks, behind it to the other."""
    return lambda inner: posted(f"Content-Length: {5 + len(inner)}", *headers)(chunks() + inner)


def _cut_short(*headers: str) -> Attack:
    """Return an attack whose body ends before the hidden request to who believes the length, behind it to the other."""

    def attack(inner: bytes) -> bytes:
        body = chunks(inner)
        return posted(f"Content-Length: {body.index(inner)}", *headers)(body)

    return attack


def _raw(replace: bytes, by: bytes) -> Attack:
    """Return an attack with a header `Mark: x` replaced byte by byte."""
    return lambda inner: posted(f"Content-Length: {5 + len(inner)}", "Mark: x")(chunks() + inner).replace(
        replace, by, 1
    )


_MARK: Final = b"Mark: x"
CHUNKED: Final = "Transfer-Encoding: chunked"

ATTACKS: Final[dict[str, Attack]] = {
    "cl-te": _with_length(CHUNKED),
    "te-cl": _cut_short(CHUNKED),
    "te-te-unknown": _with_length(CHUNKED, "Transfer-Encoding: cow"),
    "te-te-identity": _with_length("Transfer-Encoding: identity", CHUNKED),
    "te-list": _with_length("Transfer-Encoding: identity, chunked"),
    "te-twice-in-one": _with_length("Transfer-Encoding: chunked, chunked"),
    "te-unknown": _with_length("Transfer-Encoding: xchunked"),
    "te-space-before-colon": _with_length("Transfer-Encoding : chunked"),
    "te-tab-before-value": _with_length("Transfer-Encoding:\tchunked"),
    "te-vertical-tab": _with_length("Transfer-Encoding:\x0bchunked"),
    "te-upper-case": _with_length("TRANSFER-ENCODING: CHUNKED"),
    "te-trailing-space": _with_length("Transfer-Encoding: chunked "),
    "te-quoted": _with_length('Transfer-Encoding: "chunked"'),
    "te-underscore": _with_length("Transfer_Encoding: chunked"),
    "te-folded": _raw(_MARK, b"Transfer-Encoding:\r\n chunked"),
    "te-behind-bare-lf": _raw(_MARK, b"Mark: x\nTransfer-Encoding: chunked"),
    "te-behind-bare-cr": _raw(_MARK, b"Mark: x\rTransfer-Encoding: chunked"),
    "te-behind-nul": _raw(_MARK, b"Mark: x\0\r\nTransfer-Encoding: chunked"),
    "te-leading-space": _raw(_MARK, b" Transfer-Encoding: chunked"),
    "te-of-1.0": lambda inner: _with_length(CHUNKED)(inner).replace(b"HTTP/1.1", b"HTTP/1.0", 1),
    "cl-twice": lambda inner: posted("Content-Length: 0", f"Content-Length: {len(inner)}")(inner),
    "cl-twice-the-same": lambda inner: posted(*[f"Content-Length: {len(inner)}"] * 2)(inner),
    "cl-list": lambda inner: posted(f"Content-Length: 0, {len(inner)}")(inner),
    "cl-plus": lambda inner: posted(f"Content-Length: +{len(inner)}")(inner),
    "cl-minus": posted("Content-Length: -1"),
    "cl-hex": lambda inner: posted(f"Content-Length: {len(inner):#x}")(inner),
    "cl-spaces": lambda inner: posted(f"Content-Length: 0 {len(inner)}")(inner),
    "cl-space-before-colon": lambda inner: posted(f"Content-Length : {len(inner)}")(inner),
    "cl-too-large-to-count": lambda inner: posted(f"Content-Length: {2**64 + len(inner)}")(inner),
    "cl-underscore": lambda inner: posted(f"Content-Length: {len(inner)}", "Content_Length: 0")(inner),
    "chunk-size-negative": lambda inner: posted(CHUNKED)(b"-1\r\n" + inner),
    "chunk-size-too-large": lambda inner: posted(CHUNKED)(b"ffffffffffffffff1\r\n" + inner),
    "chunk-size-hex": lambda inner: posted(CHUNKED)(b"0x0\r\n\r\n" + inner),
    "chunk-size-underscore": lambda inner: posted(CHUNKED)(b"0_0\r\n\r\n" + inner),
    "chunk-without-end": lambda inner: posted(CHUNKED)(b"1\r\naZZ0\r\n\r\n" + inner),
    "chunk-extension-lf": lambda inner: posted(CHUNKED)(b"1;a\nb\r\na\r\n0\r\n\r\n" + inner),
    "request-line-nul": lambda inner: b"POST /\0 HTTP/1.1\r\n" + posted(f"Content-Length: {len(inner)}")(inner),
    "request-line-cr": lambda inner: posted(f"Content-Length: {len(inner)}")(inner).replace(b" HTTP", b"\r HTTP", 1),
    "upgrade-h2c": lambda inner: posted("Connection: Upgrade", "Upgrade: h2c", f"Content-Length: {len(inner)}")(inner),
}
