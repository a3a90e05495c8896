"""What carries the protocol: compression, paths, methods, statuses, tokens."""

import gzip
import json
import zlib

import httpx
import pytest

from tests.contract.oip.asking import LENGTH, Asker, refusal
from tests.factories.oip_server import OipServer
from tests.factories.tensors import Body, json_input

BODY = json.dumps({"inputs": [json_input(shape=[1, 4], data=[1, 2, 3, 4])]}).encode()
PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress}
GETS = ("/v2", "/v2/models", "/v2/models/sums", "/v2/models/sums/config", "/v2/models/sums/stats", "/v2/models/stats")
OPEN = ("/v2/health/live", "/v2/health/ready")


@pytest.mark.parametrize("encoding", PACKERS)
def test_bodies_may_be_compressed(ask: Asker, encoding: str) -> None:
    packed = PACKERS[encoding](BODY)

    assert ask("sums", packed, {"Content-Encoding": encoding}).status_code == 200
    assert ask("sums", Body(packed, len(BODY)), {"Content-Encoding": encoding}).status_code == 200
    refusal(ask("sums", Body(packed, len(BODY) + 1), {"Content-Encoding": encoding}), LENGTH)


@pytest.mark.parametrize("encoding", PACKERS)
def test_answers_are_compressed_where_it_is_asked(ask: Asker, encoding: str) -> None:
    answer = ask("sums", BODY, {"Accept-Encoding": f"{encoding}, br"})

    assert answer.headers["content-encoding"] == encoding
    assert answer.json()["outputs"][0]["data"] == [10.0, 1.0, -10.0]


@pytest.mark.parametrize("accepted", ["br", "identity", "gzip;q=0", ""])
def test_answers_are_plain_otherwise(ask: Asker, accepted: str) -> None:
    assert "content-encoding" not in ask("sums", BODY, {"Accept-Encoding": accepted}).headers


@pytest.mark.parametrize("path", [*GETS, *OPEN])
def test_metadata_are_never_compressed(http: httpx.Client, path: str) -> None:
    answer = http.get(path, headers={"Accept-Encoding": "gzip, deflate, br"})

    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("encoding", PACKERS)
def test_bombs_are_refused(ask: Asker, encoding: str) -> None:
    bomb = PACKERS[encoding](bytes(80 * 2**20))

    refusal(ask("sums", bomb, {"Content-Encoding": encoding}), status=413)


@pytest.mark.parametrize("encoding", PACKERS)
def test_bodies_that_are_not_what_their_encoding_says_are_refused(ask: Asker, encoding: str) -> None:
    refusal(ask("sums", BODY, {"Content-Encoding": encoding}))
    refusal(ask("sums", PACKERS[encoding](BODY)[:-4], {"Content-Encoding": encoding}))
    refusal(ask("sums", PACKERS[encoding](BODY) + b"more", {"Content-Encoding": encoding}))


def test_unknown_encodings_are_refused(ask: Asker) -> None:
    refusal(ask("sums", BODY, {"Content-Encoding": "br"}), status=415)


@pytest.mark.parametrize("path", [*GETS, *OPEN])
def test_paths_end_with_a_slash_or_not_and_never_redirect(http: httpx.Client, path: str) -> None:
    for asked in (path, path + "/"):
        assert http.get(asked).status_code == 200, asked


@pytest.mark.parametrize("path", ["/v2/models/sums/infer", "/v2/models/sums/infer/"])
def test_infer_ends_with_a_slash_or_not(http: httpx.Client, path: str) -> None:
    assert http.post(path, content=BODY).status_code == 200


@pytest.mark.parametrize(
    "path", ["/v2/nothing", "/v2/models/a/b/c/d", "/v2/repository", "/v2//models", "/v2/trace/setting"]
)
def test_unknown_paths_are_not_found(http: httpx.Client, path: str) -> None:
    assert refusal(http.get(path), status=404)["error"] == "Not Found"


@pytest.mark.parametrize("name", ["..", "%2e%2e", ".hidden", "a%00b", "a%20b", "é", "x" * 200, "a%2Fb"])
def test_hostile_names_are_refused(http: httpx.Client, name: str) -> None:
    answer = http.get(f"/v2/models/{name}/ready")

    assert answer.status_code in {400, 404}
    refusal(answer, status=answer.status_code)


@pytest.mark.parametrize("version", ["0", "-1", "x", "77", "1.0", "9" * 30, "%00"])
def test_versions_that_are_not_there_are_not_found(http: httpx.Client, version: str) -> None:
    answer = http.post(f"/v2/models/sums/versions/{version}/infer", content=BODY)

    assert answer.status_code in {400, 404}
    refusal(answer, status=answer.status_code)


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v2/models/sums/infer"), ("POST", "/v2"), ("PUT", "/v2/models/sums"), ("GET", "/v2/repository/index")],
)
def test_other_methods_are_not_allowed(http: httpx.Client, method: str, path: str) -> None:
    answer = http.request(method, path)

    assert refusal(answer, status=405)["error"] == "Method Not Allowed"
    assert answer.headers["allow"]


@pytest.mark.parametrize("path", GETS)
def test_tokens_are_asked_for(server: OipServer, path: str) -> None:
    answer = httpx.get(server.url + path)

    refusal(answer, status=401)
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", OPEN)
def test_health_is_open_to_anyone(server: OipServer, path: str) -> None:
    assert httpx.get(server.url + path).status_code == 200
