"""Plain requests as bytes: what hot routes are asked, read and answered without gunicorn's parser.

Only what cannot be read in two ways is read here, and everything else is left to gunicorn, untouched: one POST or GET
of HTTP/1.1 to a path without escapes, each header once and of printable ASCII. A POST has a body, which is whole and of
announced length; a GET has none, and says nothing of one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from io import BytesIO
from typing import Any, Final

from gunicorn.http.wsgi import SERVER
from gunicorn.util import http_date

from app.web.fast_path.hot_routes import BODY_SIZE
from app.web.fast_path.lane import STATUS_LINES

# Half of what gunicorn takes, so that its limits need not be kept here.
LARGEST_HEAD_BYTES: Final = 4096
MOST_HEADERS: Final = 50

_PLAIN: Final = re.compile(
    rb"(POST|GET) (/[A-Za-z0-9/_.-]*) HTTP/1\.1\r\n((?:[A-Za-z][A-Za-z0-9-]*: [!-~](?:[ -~]*[!-~])?\r\n)+)\r\n"
)
# What changes how a message is framed or answered. And what says by which scheme it came: gunicorn refuses two that
# differ, so one is left, nginx's.
_NOT_PLAIN: Final = frozenset(
    {
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
        "HTTP_EXPECT",
        "HTTP_TE",
        "HTTP_TRAILER",
        "HTTP_KEEP_ALIVE",
        "HTTP_X_FORWARDED_PROTOCOL",
        "HTTP_X_FORWARDED_SSL",
    }
)
# Names repeat from request to request; as many as a client may make up are kept.
_MOST_NAMES: Final = 256
_names: dict[bytes, str] = {b"Content-Type": "CONTENT_TYPE", b"Content-Length": "CONTENT_LENGTH"}


@dataclass(frozen=True, slots=True)
class PlainRequest:
    """A request as WSGI has it, as far as the fast path looks; and how many bytes it took."""

    environ: dict[str, Any]
    size_bytes: int


def read_plain(data: bytes) -> PlainRequest | None:
    """Return the request that `data` begins with; None if it is not all there, or not plain."""
    match = _PLAIN.match(data, 0, LARGEST_HEAD_BYTES)
    if match is None:
        return None

    method, path, head = match.groups()
    environ = _environ(method.decode("ascii"), path.decode("ascii"), head)
    size_bytes = _body_size(environ) if environ else None
    if environ is None or size_bytes is None or match.end() + size_bytes > len(data):
        return None

    end = match.end() + size_bytes
    environ["wsgi.input"] = BytesIO(data[match.end() : end])
    return PlainRequest(environ, end)


def encode_answer(status: HTTPStatus, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    """Return an answer on a connection that stays open.

    :raises ValueError: when a header would not stay on its line.
    """
    lines = [f"HTTP/1.1 {STATUS_LINES[status]}", f"Server: {SERVER}", f"Date: {http_date()}", "Connection: keep-alive"]
    lines += [f"{name}: {value}" for name, value in headers]
    head = "\r\n".join(lines)
    if head.count("\r") != len(lines) - 1 or head.count("\n") != len(lines) - 1:
        raise ValueError("A header of the answer holds a line break.")

    return b"%b\r\n\r\n%b" % (head.encode("latin-1"), body)


def _body_size(environ: Mapping[str, Any]) -> int | None:
    """Return how large a body is to follow; None where that is not plain."""
    size = environ.get("CONTENT_LENGTH")
    if environ["REQUEST_METHOD"] == "GET":
        return 0 if size is None else None

    return int(size) if size and BODY_SIZE.fullmatch(size) else None


def _environ(method: str, path: str, head: bytes) -> dict[str, Any] | None:
    """Return a request's variables; None if a header comes twice or asks for more than an answer."""
    lines = head.split(b"\r\n")[:-1]
    environ: dict[str, Any] = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": ""}
    for line in lines:
        name, _, value = line.partition(b": ")
        environ[_names.get(name) or _variable(name)] = value.decode("ascii")
    is_plain = len(environ) == len(lines) + 3 <= MOST_HEADERS + 3 and "HTTP_HOST" in environ
    if not is_plain or not _NOT_PLAIN.isdisjoint(environ):
        return None

    connection = environ.get("HTTP_CONNECTION", "keep-alive")
    return environ if connection.lower() == "keep-alive" else None


def _variable(name: bytes) -> str:
    """Return the WSGI variable of a header."""
    variable = name.decode("ascii").upper().replace("-", "_")
    if variable not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        variable = f"HTTP_{variable}"
    if len(_names) < _MOST_NAMES:
        _names[name] = variable
    return variable
