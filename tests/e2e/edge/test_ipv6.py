"""Callers with an address of IPv6 are served as others are."""

import pytest

from tests.factories.nginx import has_ipv6, running_nginx
from tests.factories.raw_http import Place
from tests.factories.recording_upstream import recording_upstream
from tests.factories.smuggling import request
from tests.factories.stack import free_port

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not has_ipv6(), reason="This machine has no IPv6."),
]
LAST = request("GET /health/live HTTP/1.1", "Connection: close")


def test_galley_is_told_the_address() -> None:
    with recording_upstream() as upstream, running_nginx(upstream.port) as nginx:
        answers = Place(nginx.port, nginx.tls, address="::1").converse(LAST)
        told = upstream.headers("X-Forwarded-For")

    assert answers.statuses == [200]
    assert told == ["::1"]


def test_who_came_without_tls_is_sent_on() -> None:
    with running_nginx(free_port()) as nginx:
        answers = Place(int(nginx.plain_url.rsplit(":", 1)[1]), address="::1").converse(LAST)

    assert answers.statuses == [308]
