"""Plain Flask scores as Galley does: the same features and model, one payment after the other."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import simple_websocket

from app.scenarios.fraud_events import encode_event, read_event
from model_store.manifest import Manifest, encode_manifest
from tests.factories.models import save_scripted
from tests.factories.scoring import RISK_FILE, CountingModel, scoring_manifest
from tests.load.peers.plain_flask import Scorer
from tests.load.peers.plain_flask_server import plain_flask
from tests.load.socket_load import Pace, StreamTarget, fleet
from tests.load.stream_payments import Payers, Payments
from tests.load.stream_servers import PATH
from workers.runner.assets import Assets
from workers.runner.loaded_model import LoadedModel
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.sequence_scoring import SequenceScoringPipeline
from workers.runner.values import joined


@pytest.fixture
def version(tmp_path: Path) -> Path:
    folder = tmp_path / "fraud" / "3"
    (folder / "assets").mkdir(parents=True)
    (folder / "assets" / "risk.json").write_bytes(RISK_FILE)
    (folder / "manifest.json").write_bytes(encode_manifest(scoring_manifest()))
    save_scripted(CountingModel(), folder / "model.pt")
    return folder


def sent(count: int) -> list[dict[str, Any]]:
    source = Payments("a", Payers(accounts=3, merchants=5, countries=2))
    return [json.loads(next(source).event) for _ in range(count)]


class Galley:
    """Galley's pipeline, one payment per batch."""

    def __init__(self, version: Path, manifest: Manifest) -> None:
        self._pipeline = SequenceScoringPipeline(
            manifest, Limits(), Assets({"risk.json": version / "assets" / "risk.json"})
        )
        self._model = LoadedModel(manifest, CountingModel())
        self._states: dict[str, bytes] = {}

    def score(self, said: dict[str, Any]) -> dict[str, Any]:
        event = read_event(json.dumps(said).encode(), now=datetime.now(UTC))
        row = self._pipeline.resume(self._states.get(event.account_id, b""), encode_event(event), None)
        outputs = self._model.forward([joined([value]) for value in row.inputs])
        (answer,), (state,) = self._pipeline.encode([row], outputs), self._pipeline.states([row], outputs)
        self._states[event.account_id] = state
        assert isinstance(answer, bytes)
        return {"event_id": event.event_id, **json.loads(answer)}


def test_answers_are_galleys(version: Path) -> None:
    galley, plain = Galley(version, scoring_manifest()), Scorer(version)

    for said in sent(60):
        answer = plain.score(said)

        assert answer.pop("model") == {"name": "fraud", "version": 3, "variant": None}
        assert answer == galley.score(said)


@pytest.mark.long
@pytest.mark.alone
def test_load_and_a_public_client_are_answered_the_same(version: Path) -> None:
    with plain_flask(version) as server:
        with fleet(StreamTarget(url=server.url, path=PATH)) as sockets:
            report = sockets.drive(sockets.open(["x", "y"], Payers()), Pace(in_flight=3, count=50))
        client = simple_websocket.Client(server.url.replace("http", "ws") + PATH)
        client.send('{"type":"hello"}')
        assert json.loads(client.receive(timeout=10))["type"] == "ready"
        client.send(json.dumps({"type": "event", "seq": 1, "event": sent(1)[0]}))
        answer = json.loads(client.receive(timeout=10))
        client.close()

    assert (report.good, report.failed) == (50, {})
    assert (answer["type"], answer["seq"], answer["event_id"]) == ("score", 1, "a-1")
