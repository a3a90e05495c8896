"""Views that require a token answer nobody without one, whatever else decorates them."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from flask.views import MethodView
from flask_smorest import Blueprint

from app.errors import MissingToken
from app.web.auth import caller, check_model_allowed, current_identity, requires
from tests.factories.web import WebWorker, make_worker


def open_view() -> dict[str, bool]:
    return {"is_known": caller() is not None}


@requires("infer", "models:read")
def closed_view() -> dict[str, str]:
    return {"client_id": current_identity().client_id}


@requires("infer")
def model_view(name: str) -> dict[str, str]:
    check_model_allowed(name)
    return {"model": name}


class Methods(MethodView):
    @requires("infer")
    def get(self) -> str:
        return "read"

    @requires("admin")
    def post(self) -> str:
        return "written"

    def put(self) -> str:
        return "open"


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("tried", __name__)
    blueprint.route("/open")(blueprint.response(200)(open_view))
    blueprint.route("/closed")(blueprint.response(200)(closed_view))
    blueprint.add_url_rule("/methods", view_func=Methods.as_view("methods"))
    blueprint.add_url_rule("/models/<name>", view_func=model_view)
    return blueprint


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[WebWorker]:
    worker = make_worker(tmp_path)
    worker.app.register_blueprint(make_blueprint())
    yield worker
    worker.services.close()


def test_open_views_ask_nobody(client: FlaskClient) -> None:
    assert client.get("/open").json == {"is_known": False}
    assert client.get("/open", headers={"Authorization": "Bearer nonsense"}).status_code == 200


def test_closed_views_know_who_calls(client: FlaskClient, worker: WebWorker) -> None:
    answer = client.get("/closed", headers=worker.bearer(scopes=frozenset({"infer"})))

    assert answer.status_code == 200
    assert answer.json["client_id"].startswith("client-")


def test_any_one_of_the_scopes_is_enough(client: FlaskClient, worker: WebWorker) -> None:
    assert client.get("/closed", headers=worker.bearer(scopes=frozenset({"models:read"}))).status_code == 200

    refused = client.get("/closed", headers=worker.bearer(scopes=frozenset({"admin", "jobs"})))
    assert (refused.status_code, refused.json["code"]) == (403, "insufficient_scope")
    assert 'scope="infer models:read"' in refused.headers["WWW-Authenticate"]


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "token_missing"),
        ("", "token_missing"),
        ("Basic YTpi", "token_missing"),
        ("Bearer", "token_invalid"),
        ("Bearer ", "token_invalid"),
        ("Bearer a.b.c", "token_invalid"),
        ("bearer a b c", "token_invalid"),
    ],
)
def test_without_a_good_token_the_answer_is_401(client: FlaskClient, header: str | None, code: str) -> None:
    answer = client.get("/closed", headers={} if header is None else {"Authorization": header})

    assert (answer.status_code, answer.json["code"]) == (401, code)
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_each_method_of_a_class_has_its_own_scopes(client: FlaskClient, worker: WebWorker) -> None:
    headers = worker.bearer(scopes=frozenset({"infer"}))

    assert client.get("/methods", headers=headers).status_code == 200
    assert client.head("/methods", headers=headers).status_code == 200
    assert client.head("/methods").status_code == 401
    assert client.post("/methods", headers=headers).status_code == 403
    assert client.put("/methods").status_code == 200


def test_preflights_need_no_token(client: FlaskClient) -> None:
    assert client.options("/closed").status_code == 200


def test_unknown_routes_are_404_for_everybody(client: FlaskClient) -> None:
    assert client.get("/nowhere").status_code == 404


def test_bound_clients_use_their_models_only(client: FlaskClient, worker: WebWorker) -> None:
    headers = worker.bearer(models=("fraud*",))

    assert client.get("/models/fraud-eu", headers=headers).status_code == 200
    refused = client.get("/models/digits", headers=headers)
    assert (refused.status_code, refused.json["code"]) == (403, "model_not_allowed")


def test_a_revoked_token_is_refused(client: FlaskClient, worker: WebWorker) -> None:
    token = worker.token()
    headers = {"Authorization": f"Bearer {token}"}
    assert client.get("/closed", headers=headers).status_code == 200

    worker.services.tokens.revoke(token)
    assert client.get("/closed", headers=headers).json["code"] == "token_revoked"


def test_scopes_that_do_not_exist_are_a_mistake_of_the_view() -> None:
    with pytest.raises(ValueError, match="root"):
        requires("root")(open_view)


def test_asking_who_calls_on_an_open_route_is_refused(worker: WebWorker) -> None:
    with worker.app.test_request_context("/open"), pytest.raises(MissingToken):
        current_identity()
