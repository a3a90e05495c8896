"""GET /v2/models/stats, in its three forms."""

from flask.testing import FlaskClient

from model_store.model_ref import ModelRef
from tests.factories.web import WebWorker
from tests.unit.app.services.test_statistics import run_runner


def versions(response: object) -> list[tuple[str, str, int]]:
    entries = response.json["model_stats"]  # type: ignore[attr-defined]
    return [(entry["name"], entry["version"], entry["inference_count"]) for entry in entries]


def test_three_forms(worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef) -> None:
    worker.publish()
    worker.publish(name="fraud")
    (worker.services.settings.metrics_dir / "runners").mkdir(parents=True)
    run_runner(worker.services.settings.metrics_dir / "runners", 3, last_ms=1)

    everything = client.get("/v2/models/stats", headers=headers)
    of_model = client.get("/v2/models/digits/stats", headers=headers)
    of_version = client.get("/v2/models/digits/versions/default/stats", headers=headers)

    assert versions(everything) == [("digits", "1", 6), ("digits", "2", 0), ("fraud", "1", 0)]
    assert versions(of_model) == [("digits", "1", 6), ("digits", "2", 0)]
    assert versions(of_version) == [("digits", "1", 6)]


def test_totals_are_whole_numbers(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    (worker.services.settings.metrics_dir / "runners").mkdir(parents=True)
    run_runner(worker.services.settings.metrics_dir / "runners", 3, last_ms=1_767_225_600_123)

    (entry,) = client.get("/v2/models/digits/stats", headers=headers).json["model_stats"]

    assert entry["last_inference"] == 1_767_225_600_123
    assert entry["inference_stats"]["success"] == {"count": 3, "ns": 750_000_000}
    assert entry["inference_stats"]["fail"] == {"count": 0, "ns": 0}
    assert entry["batch_stats"][0]["compute_infer"] == {"count": 3, "ns": 375_000_000}


def test_version_that_never_ran_is_listed_only_when_named(
    worker: WebWorker, client: FlaskClient, headers: dict[str, str], digits: ModelRef
) -> None:
    worker.run()

    assert versions(client.get("/v2/models/stats", headers=headers)) == []
    assert versions(client.get("/v2/models/digits/versions/1/stats", headers=headers)) == [("digits", "1", 0)]


def test_caller_sees_the_models_it_may_use(worker: WebWorker, client: FlaskClient, digits: ModelRef) -> None:
    worker.publish(name="fraud")

    response = client.get("/v2/models/stats", headers=worker.bearer(models=("fraud",)))

    assert versions(response) == [("fraud", "1", 0)]
