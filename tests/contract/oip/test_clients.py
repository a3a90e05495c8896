"""Unmodified clients: tritonclient.http, sync and aio, and KServe's InferenceRESTClient, on every route they have."""

from typing import Any

import pytest

SCORES = [[10.0, 1.0, -10.0]]
TEXTS = ["", b"nul\x00inside".hex(), "é€😀".encode().hex(), "78" * 2**20]
NOT_OFFERED = (
    "update_trace_settings",
    "get_trace_settings",
    "update_log_settings",
    "get_log_settings",
    "get_system_shared_memory_status",
    "register_system_shared_memory",
    "unregister_system_shared_memory",
    "get_cuda_shared_memory_status",
    "register_cuda_shared_memory",
    "unregister_cuda_shared_memory",
)
TRITON = pytest.mark.parametrize("triton", ["triton_sync", "triton_aio"], indirect=True)


@pytest.fixture
def triton(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What one of the two tritonclients saw."""
    outcomes: dict[str, Any] = request.getfixturevalue(request.param)
    return outcomes


def returned(outcomes: dict[str, Any], call: str) -> Any:
    assert "returned" in outcomes[call], outcomes[call]
    return outcomes[call]["returned"]


def arrays(outcomes: dict[str, Any], call: str) -> dict[str, Any]:
    found: dict[str, Any] = returned(outcomes, call)["arrays"]
    return found


@TRITON
def test_triton_learns_what_is_up(triton: dict[str, Any]) -> None:
    for call in ("is_server_live", "is_server_ready", "is_model_ready", "is_model_ready, version"):
        assert returned(triton, call) is True, call
    assert returned(triton, "is_model_ready, unknown") is False


@TRITON
def test_triton_reads_metadata(triton: dict[str, Any]) -> None:
    server = returned(triton, "get_server_metadata")
    assert set(server) == {"name", "version", "extensions"}
    model = returned(triton, "get_model_metadata")
    assert model["inputs"] == [{"name": "x", "datatype": "FP32", "shape": [-1, 4]}]
    assert model["outputs"] == [{"name": "scores", "datatype": "FP32", "shape": [-1, 3]}]
    assert returned(triton, "get_model_metadata, version") == model
    assert triton["get_model_metadata, unknown"]["status"] == "404"
    assert triton["get_model_metadata, odd"]["status"] == "404"


@TRITON
def test_triton_reads_config(triton: dict[str, Any]) -> None:
    config = returned(triton, "get_model_config")

    assert config["max_batch_size"] == 8
    assert config["input"] == [{"name": "x", "data_type": "TYPE_FP32", "dims": [4]}]
    assert returned(triton, "get_model_config, version") == config


@TRITON
def test_triton_loads_and_unloads(triton: dict[str, Any]) -> None:
    index = {entry["name"]: entry["state"] for entry in returned(triton, "get_model_repository_index")}
    assert index["sums"] == "READY"
    assert returned(triton, "unload_model") is None
    assert returned(triton, "is_model_ready, unloaded") is False
    assert returned(triton, "load_model") is None
    assert returned(triton, "is_model_ready, loaded") is True
    assert triton["load_model, config"]["status"] == "400"
    assert triton["load_model, unknown"]["status"] == "404"


@TRITON
def test_triton_reads_statistics(triton: dict[str, Any]) -> None:
    everything = returned(triton, "get_inference_statistics")["model_stats"]
    assert {"sums", "echo"} <= {entry["name"] for entry in everything}
    (model,) = returned(triton, "get_inference_statistics, model")["model_stats"]
    (version,) = returned(triton, "get_inference_statistics, version")["model_stats"]
    assert (model["name"], model["version"]) == (version["name"], version["version"]) == ("sums", "1")
    assert set(model["inference_stats"]) >= {"success", "fail", "queue", "compute_input", "compute_infer"}


@TRITON
def test_triton_hears_plainly_what_is_not_offered(triton: dict[str, Any]) -> None:
    assert {call: triton[call] for call in NOT_OFFERED} == {
        call: {"raised": "Not Found", "status": "404"} for call in NOT_OFFERED
    }


@TRITON
@pytest.mark.parametrize("form", ["binary both ways", "binary to JSON", "JSON to binary", "JSON both ways", "version"])
def test_triton_infers(triton: dict[str, Any], form: str) -> None:
    assert arrays(triton, form) == {"scores": SCORES}
    member = returned(triton, form)["head"]["outputs"][0]
    assert ("data" in member) == (form in {"binary to JSON", "JSON both ways"})


@TRITON
@pytest.mark.parametrize("form", ["many rows", "gzip", "deflate"])
def test_triton_infers_many_rows(triton: dict[str, Any], form: str) -> None:
    assert arrays(triton, form) == {"scores": SCORES * 8}


@TRITON
def test_triton_gets_its_id_and_options_through(triton: dict[str, Any]) -> None:
    assert returned(triton, "id")["head"]["id"] == "one/2 three"
    assert arrays(triton, "options") == {"scores": SCORES}
    assert "id" not in returned(triton, "options")["head"]


@TRITON
def test_triton_gets_classes(triton: dict[str, Any]) -> None:
    texts = [bytes.fromhex(text).decode() for text in arrays(triton, "classes")["scores"]]
    assert texts == ["10.0:0:red", "1.0:1:green"]
    (output,) = returned(triton, "classes in JSON")["head"]["outputs"]
    assert output["shape"] == [8, 3]
    assert output["data"] == ["10.0:0:red", "1.0:1:green", "-10.0:2:blue"] * 8


@TRITON
def test_triton_mixes_forms(triton: dict[str, Any]) -> None:
    assert arrays(triton, "mixed") == {"turned": [[3, 2, 1], [6, 5, 4]], "doubled": [[3.0], [5.0]]}
    turned, doubled = returned(triton, "mixed")["head"]["outputs"]
    assert (turned["name"], doubled["name"]) == ("turned", "doubled")
    assert turned["parameters"] == {"binary_data_size": 48}
    assert "data" in doubled


@TRITON
def test_triton_sends_nothing(triton: dict[str, Any]) -> None:
    assert arrays(triton, "zero size") == {"doubled": [[], []], "turned": [[], []]}


@TRITON
@pytest.mark.parametrize("form", ["texts", "texts in JSON"])
def test_triton_sends_texts(triton: dict[str, Any], form: str) -> None:
    assert arrays(triton, form)["same"] == TEXTS


@TRITON
def test_triton_sends_every_datatype(triton: dict[str, Any]) -> None:
    found = arrays(triton, "every datatype")
    limits = {f"same_uint{bits}": [[0, 2**bits - 1]] for bits in (8, 16, 32, 64)}
    limits |= {f"same_int{bits}": [[-(2 ** (bits - 1)), 2 ** (bits - 1) - 1]] for bits in (8, 16, 32, 64)}
    assert {name: found[name] for name in limits} == limits
    assert found["same_bools"] == [[True, False]]
    assert found["same_fp16"] == [[1.5, -65504.0]]
    assert found["same_bf16"] == [[1.5, pytest.approx(-3.0e38, rel=0.01)]]
    assert found["same_fp32"] == [[1.5, pytest.approx(-3.0e38)]]
    assert found["same_fp64"] == [[1.5, -1.0e308]]


@TRITON
@pytest.mark.parametrize(
    ("call", "status", "word"),
    [
        ("unknown model", "404", "nothing"),
        ("unknown version", "404", "77"),
        ("unknown output", "400", "'missing'"),
        ("wrong shape", "400", "dimension 1"),
        ("failing model", "502", "negative"),
    ],
)
def test_triton_is_told_what_is_wrong(triton: dict[str, Any], call: str, status: str, word: str) -> None:
    assert triton[call]["status"] == status
    assert word in triton[call]["raised"]


def test_triton_infers_on_its_own_greenlets(triton_sync: dict[str, Any]) -> None:
    assert arrays(triton_sync, "async_infer") == {"scores": SCORES}


def test_kserve_learns_what_is_up(kserve: dict[str, Any]) -> None:
    assert [returned(kserve, call) for call in ("is_server_live", "is_server_ready", "is_model_ready")] == [True] * 3


@pytest.mark.parametrize("form", ["JSON", "binary", "JSON to binary"])
def test_kserve_infers(kserve: dict[str, Any], form: str) -> None:
    assert returned(kserve, form) == {"id": "mine", "arrays": {"scores": [*SCORES, [26.0, 5.0, -26.0]]}}


def test_kserve_infers_in_other_forms(kserve: dict[str, Any]) -> None:
    assert arrays(kserve, "output in binary") == {"scores": [*SCORES, [26.0, 5.0, -26.0]]}
    assert arrays(kserve, "a dictionary") == {"scores": SCORES}
    assert arrays(kserve, "texts")["same"] == ["", "é€".encode().hex(), b"nul\x00inside".hex()]


def test_kserve_is_told_what_is_wrong(kserve: dict[str, Any]) -> None:
    assert kserve["unknown model"]["status"] == 404
    assert kserve["wrong shape"]["status"] == 400
    assert "dimension 1 must be 4" in kserve["wrong shape"]["raised"]
