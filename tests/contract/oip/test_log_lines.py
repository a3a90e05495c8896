"""Each line of the web tier's log is a JSON object, gunicorn's own too, and tells by its id what was refused."""

from typing import Any

import orjson

from tests.factories.oip_server import OipServer
from tests.factories.raw_http import Place
from tests.factories.waiting import wait_until


def lines(server: OipServer) -> list[dict[str, Any]]:
    """Return all lines; one that is no JSON fails."""
    return [orjson.loads(line) for line in (server.stage.settings.var_dir / "web.log").read_bytes().splitlines()]


def test_gunicorn_logs_as_everybody_does(server: OipServer) -> None:
    told = {line.get("logger") for line in lines(server) if "Booting worker" in line["event"]}

    assert told == {"gunicorn.error"}


def test_a_refusal_is_found_by_its_id(server: OipServer) -> None:
    (request_id,) = Place(server.port).converse(b"GARBAGE\r\n\r\n").request_ids

    def told() -> list[str]:
        return [line["code"] for line in lines(server) if line.get("request_id") == request_id]

    wait_until(lambda: bool(told()))
    assert told() == ["malformed_request"]
