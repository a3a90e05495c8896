"""Plain Flask's side: scores of payments over flask-sock with the state of accounts in a dict, as one writes it first.

It runs in Galley's environment, on the same parts: `gunicorn "tests.load.peers.plain_flask:make_app('VERSION')"`. The
model is the same frozen TorchScript file, one payment per call; the features are by the same code, and accounts stay
Python objects. There are no tokens, sessions, limits, checks of what comes, metrics or log lines; a payment that is
sent again counts again, and when the process ends, all is forgotten. A second worker would know other accounts.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from flask import Flask
from flask_sock import Sock
from torch import Tensor

from app.scenarios.fraud_answers import decide, strongest
from app.scenarios.fraud_events import FraudEvent
from app.scenarios.fraud_features import FEATURES, MERCHANT_RISK, advance
from app.scenarios.fraud_risk import decode_risk
from app.scenarios.fraud_state import AccountState
from model_store.layout import ASSETS_FOLDER
from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, decode_manifest

# Nothing here counts what is in flight; a client wants to hear a number.
CREDITS = 1000


class Scorer:
    """The model, and all accounts that it met."""

    def __init__(self, version: Path) -> None:
        manifest = decode_manifest((version / MANIFEST_FILE).read_bytes())
        assert manifest.scoring is not None
        self._scoring = manifest.scoring
        self._answered_by = {"name": version.parent.name, "version": int(version.name), "variant": None}
        self._columns = [[*FEATURES, MERCHANT_RISK].index(name) for name in self._scoring.features]
        self._risk = decode_risk((version / ASSETS_FOLDER / str(self._scoring.merchant_risk)).read_bytes())
        self._model = torch.jit.freeze(torch.jit.load(str(version / ARTIFACT_FILE)).eval())  # type: ignore[no-untyped-call]
        (self._memory,) = manifest.state
        self._outputs = [spec.name for spec in manifest.outputs]
        self._accounts: dict[str, tuple[AccountState, Tensor]] = {}
        self._first_memory = torch.zeros(1, *self._memory.shape)

    def score(self, said: dict[str, Any]) -> dict[str, Any]:
        """Score a payment and remember it."""
        event = _event(said)
        past, memory = self._accounts.get(event.account_id) or (AccountState(), self._first_memory)
        features = advance(past, event)
        features += (self._risk.of(event.merchant_id),)
        with torch.inference_mode():
            columns = torch.tensor([[features[column] for column in self._columns]])
            outputs = dict(zip(self._outputs, self._model(columns, memory), strict=True))
        self._accounts[event.account_id] = past, outputs.pop(self._memory.output)
        score, effects = outputs.values()
        rounded = round(score.item(), 6)
        reasons = strongest(self._scoring.reasons, effects[0].tolist())
        return {
            "event_id": event.event_id,
            "score": rounded,
            "decision": decide(rounded, review_at=self._scoring.review_at, decline_at=self._scoring.decline_at),
            "reasons": [{"feature": reason.feature, "effect": reason.effect} for reason in reasons],
            "model": self._answered_by,
        }


def make_app(version: str) -> Flask:
    """Return the application that serves the version of a folder."""
    torch.set_num_threads(1)
    scorer = Scorer(Path(version))
    app = Flask(__name__)

    @app.get("/health/ready")
    def ready() -> dict[str, bool]:
        return {"ready": True}

    @Sock(app).route("/api/v1/fraud/stream")
    def stream(socket: Any) -> None:
        json.loads(socket.receive())
        socket.send(json.dumps({"type": "ready", "last_seq": 0, "credits": CREDITS}))
        while (frame := json.loads(socket.receive()))["type"] == "event":
            answer = scorer.score(frame["event"])
            socket.send(json.dumps({"type": "score", "seq": frame["seq"], **answer, "credits": CREDITS}))

    return app


def _event(said: dict[str, Any]) -> FraudEvent:
    return FraudEvent(
        said["event_id"],
        said["account_id"],
        said["merchant_id"],
        said["amount"],
        round(1000 * datetime.fromisoformat(said["occurred_at"]).timestamp()),
        said.get("channel"),
        said.get("country"),
    )
