"""TLS at the edge: which versions are spoken, who is trusted, and where callers without it are sent."""

import socket
import ssl

import httpx
import pytest

from tests.factories.nginx import Nginx
from tests.factories.raw_http import Place

pytestmark = pytest.mark.long


def speaking(nginx: Nginx, version: ssl.TLSVersion) -> ssl.SSLContext:
    """Return a context of exactly one version, which OpenSSL's own defaults may have given up."""
    context = ssl.create_default_context(cafile=str(nginx.ca))
    context.set_ciphers("ALL:@SECLEVEL=0")
    # 1.0 and 1.1 are deprecated, which is why they are tried.
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, version
    context.minimum_version = version
    return context


@pytest.mark.parametrize(
    ("version", "name"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
def test_present_versions_are_spoken(alone: Nginx, version: ssl.TLSVersion, name: str) -> None:
    with Place(alone.port, speaking(alone, version)).connect() as connection:
        assert isinstance(connection, ssl.SSLSocket)
        assert connection.version() == name
        cipher = connection.cipher()

    assert cipher is not None
    assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_past_versions_are_refused(alone: Nginx, version: ssl.TLSVersion) -> None:
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        Place(alone.port, speaking(alone, version)).connect()


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"])
def test_ciphers_that_do_not_authenticate_what_they_hide_are_refused(alone: Nginx, cipher: str) -> None:
    context = speaking(alone, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="alert handshake failure"):
        Place(alone.port, context).connect()


def test_a_certificate_is_trusted_by_who_knows_its_authority_only(alone: Nginx) -> None:
    assert httpx.get(f"{alone.url}/health/live", verify=alone.tls).status_code == 503
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(f"{alone.url}/health/live")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_without_tickets_that_hold_it(alone: Nginx, version: ssl.TLSVersion) -> None:
    context = speaking(alone, version)
    with Place(alone.port, context).connect() as first:
        assert isinstance(first, ssl.SSLSocket)
        first.sendall(b"GET / HTTP/1.1\r\nHost: galley\r\n\r\n")
        first.recv(65536)
        session = first.session
    plain = socket.create_connection(("127.0.0.1", alone.port), 30)
    with context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as second:
        assert second.session_reused

    # What TLS 1.3 calls a ticket is then a name of what the server remembers, not the session itself.
    assert session is not None
    assert version is ssl.TLSVersion.TLSv1_3 or not session.has_ticket


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_caller_without_tls_is_sent_on_with_its_method(alone: Nginx, method: str) -> None:
    answer = httpx.request(method, f"{alone.plain_url}/api/v1/models?page=2", content=b"{}")

    assert answer.status_code == 308
    assert answer.headers["location"] == "https://127.0.0.1/api/v1/models?page=2"


@pytest.mark.parametrize("line", ["NO REQUEST AT ALL", "TRACE / HTTP/1.1", f"GET /{'a' * 33000} HTTP/1.1"])
def test_without_tls_everything_else_is_told_so(alone: Nginx, line: str) -> None:
    port = int(alone.plain_url.rpartition(":")[2])
    answers = Place(port).converse(f"{line}\r\nHost: galley\r\n\r\n".encode())

    assert answers.statuses == [400]
    assert b'"code":"tls_required"' in answers.data
    assert b"<html>" not in answers.data


def test_a_caller_that_forgets_tls_on_its_port_is_told_so(alone: Nginx) -> None:
    [status] = (answers := Place(alone.port).converse(b"GET / HTTP/1.1\r\nHost: galley\r\n\r\n")).statuses

    assert status == 400
    assert b'"code":"tls_required"' in answers.data


def test_browsers_are_told_to_come_by_tls_only_whoever_answers(
    alone: Nginx, nginx: Nginx, caller: httpx.Client
) -> None:
    own, passed_on = httpx.get(alone.url, verify=alone.tls), caller.get("/health/live")

    for answer in (own, passed_on):
        assert answer.headers.get_list("strict-transport-security") == ["max-age=31536000"]
