"""The repository: its index, loading and unloading, with versions and without."""

import httpx

from tests.contract.oip.asking import Asker, refusal
from tests.factories.oip_models import sums_draft
from tests.factories.oip_server import OipServer
from tests.factories.tensors import json_input
from tests.factories.waiting import wait_until

X = json_input(shape=[1, 4], data=[1, 2, 3, 4])


def states(http: httpx.Client, name: str, **order: bool) -> dict[str, str]:
    entries = http.post("/v2/repository/index", json=order).raise_for_status().json()
    return {entry["version"]: entry["state"] for entry in entries if entry["name"] == name}


def test_index_takes_an_empty_body(http: httpx.Client) -> None:
    entries = http.post("/v2/repository/index", content=b"").raise_for_status().json()

    assert {"name": "sums", "version": "1", "state": "READY", "reason": ""} in entries


def test_a_version_nobody_named_is_loaded_by_its_path(server: OipServer, http: httpx.Client) -> None:
    server.publish(sums_draft(server.folder, "two"))
    server.publish(sums_draft(server.folder, "two"))
    wait_until(lambda: set(states(http, "two")) == {"1", "2"})

    assert http.post("/v2/repository/models/two/versions/2/load").status_code == 200
    wait_until(lambda: states(http, "two")["2"] == "READY")
    assert http.post("/v2/repository/models/two/versions/2/unload", json={}).status_code == 200
    wait_until(lambda: "2" not in states(http, "two", ready=True))
    assert "1" in states(http, "two")


def test_an_unloaded_model_refuses_until_it_is_loaded(server: OipServer, http: httpx.Client, ask: Asker) -> None:
    server.stage.wait_ready(server.publish(sums_draft(server.folder, "away")))
    wait_until(lambda: all(http.get("/v2/models/away/ready").is_success for _ in range(10)))
    unload = http.post("/v2/repository/models/away/unload", json={"parameters": {"unload_dependents": False}})
    assert unload.status_code == 200
    wait_until(lambda: not any(http.get("/v2/models/away/ready").is_success for _ in range(10)))
    assert refusal(ask.json("away", inputs=[X]), status=503)["code"] == "model_unloaded"

    assert http.post("/v2/repository/models/away/load").status_code == 200
    wait_until(lambda: ask.json("away", inputs=[X]).status_code == 200)


def test_orders_that_are_none_are_refused(http: httpx.Client) -> None:
    refusal(http.post("/v2/repository/index", content=b"{"))
    refusal(http.post("/v2/repository/index", json={"ready": "yes"}))
    refusal(http.post("/v2/repository/models/sums/load", json={"parameters": {"file:1/model.pt": "AAAA"}}))
    refusal(http.post("/v2/repository/models/sums/load", content=b"[]"))
    refusal(http.post("/v2/repository/models/nothing/load"), status=404)
    refusal(http.post("/v2/repository/models/nothing/unload"), status=404)
    refusal(http.post("/v2/repository/elsewhere/index"), status=404)
