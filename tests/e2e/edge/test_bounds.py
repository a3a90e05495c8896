"""What one address may do at the edge: tokens by the second, and requests that are open at once."""

from contextlib import ExitStack

import httpx
import pytest

from tests.factories.nginx import Nginx, running_nginx
from tests.factories.raw_http import Place
from tests.factories.recording_upstream import recording_upstream
from tests.factories.smuggling import request
from tests.factories.stack import free_port
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# As deploy/nginx.conf has it.
TOKENS_AT_ONCE = 40
MOST_OPEN, FEW_OPEN = "limit_conn galley_connections 2000;", "limit_conn galley_connections 10;"
# As docs/operations.md has it; the rate is slow enough that a busy machine does not wait it out.
ANYWHERE = "server_tokens off;"
BEHIND_A_PROXY = f"{ANYWHERE} set_real_ip_from 127.0.0.0/8; real_ip_header X-Forwarded-For;"
RATE, SLOW_RATE = "zone=galley_auth:10m rate=10r/s;", "zone=galley_auth:10m rate=1r/m;"


def at(nginx: Nginx, source: str) -> httpx.Client:
    """Return a client that calls from another address of this machine."""
    return httpx.Client(
        base_url=nginx.url, transport=httpx.HTTPTransport(verify=nginx.tls, local_address=source), timeout=30
    )


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("/auth/token", "127.0.0.5"),
        ("/auth%2Ftoken/", "127.0.0.6"),
        ("/auth/revoke", "127.0.0.10"),
        ("/health/ready", "127.0.0.11"),
        ("/health%2fready", "127.0.0.12"),
    ],
)
def test_what_is_for_everybody_and_asks_sql_is_answered_at_a_bounded_rate(alone: Nginx, path: str, source: str) -> None:
    with at(alone, source) as hasty, at(alone, "127.0.0.7") as other:
        answers = [hasty.post(path) for _ in range(5 * TOKENS_AT_ONCE)]
        elsewhere, unhurried = hasty.get("/health/live"), other.post(path)
    refused = [answer for answer in answers if answer.status_code == 429]

    # How many seconds this took is the machine's affair: ten more are let through in each.
    assert len(answers) - len(refused) > TOKENS_AT_ONCE
    assert refused
    assert (elsewhere.status_code, unhurried.status_code) == (503, 503)
    assert {answer.headers["retry-after"] for answer in refused} == {"1"}
    assert {answer.headers["content-type"] for answer in refused} == {"application/problem+json"}
    assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
    assert refused[0].json()["retryable"] is True


def test_neighbours_in_one_network_of_ipv6_are_counted_as_one() -> None:
    # Most machines have no two networks of IPv6: a proxy says whom it speaks for.
    with (
        running_nginx(free_port(), {ANYWHERE: BEHIND_A_PROXY, RATE: SLOW_RATE}) as nginx,
        at(nginx, "127.0.0.1") as proxy,
    ):
        for number in range(2 * TOKENS_AT_ONCE + 2):
            asked(proxy, f"2001:db8:0:a::{number:x}")
            asked(proxy, f"::ffff:10.10.0.{10 * (number % 2)}")
        beside, elsewhere = asked(proxy, "2001:db8:0:a:ffff::1"), asked(proxy, "2001:db8:0:b::1")
        wrapped, unwrapped, other = (
            asked(proxy, who) for who in ("::ffff:10.10.0.0", "10.10.0.10", "::ffff:10.10.0.1")
        )

    assert (beside, elsewhere) == (429, 503)
    # What only wraps an IPv4 address is that address.
    assert (wrapped, unwrapped, other) == (429, 429, 503)


def asked(proxy: httpx.Client, behind_it: str) -> int:
    """Ask for a token on behalf of an address."""
    return proxy.post("/auth/token", headers={"X-Forwarded-For": behind_it}).status_code


def test_one_address_may_not_hold_all_connections() -> None:
    with (
        recording_upstream() as upstream,
        running_nginx(upstream.port, {MOST_OPEN: FEW_OPEN}) as nginx,
        ExitStack() as held,
    ):
        place, head = Place(nginx.port, nginx.tls), request("POST /v2/models/a/infer HTTP/1.1", "Content-Length: 9")
        for _ in range(10):
            held.enter_context(place.connect("127.0.0.8")).sendall(head)
        with at(nginx, "127.0.0.8") as greedy, at(nginx, "127.0.0.9") as other:
            # Which of them nginx has read by now is its own affair.
            wait_until(lambda: greedy.get("/v2/health/live").status_code == 429)
            refused, served = greedy.get("/v2/health/live"), other.get("/v2/health/live")

    assert (refused.status_code, served.status_code) == (429, 200)
    assert refused.headers["retry-after"] == "1"
    assert set(refused.json()) == {"error", "code", "request_id", "retryable"}
