"""What payments come to when one thread scores them one by one, with nothing of a server around the model."""

import struct
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from app.scenarios.fraud_answers import FraudScore
from app.scenarios.fraud_events import FraudEvent, encode_event
from model_store.model_ref import ModelRef
from workers.runner.assets import Assets
from workers.runner.loader import load_model, read_manifest
from workers.runner.pipelines.base import Limits
from workers.runner.pipelines.sequence_scoring import SequenceScoringPipeline
from workers.runner.values import joined


class ScoredAlone:
    """The states of accounts, and the scores of their payments."""

    def __init__(self, store: Path, ref: ModelRef) -> None:
        folder = store / ref.name / str(ref.version)
        manifest = read_manifest(folder)
        self._model = load_model(folder, manifest)
        self._pipeline = SequenceScoringPipeline(manifest, Limits(), Assets.of(folder, manifest))
        self.states: dict[str, bytes] = {}
        self.scores: dict[str, float] = {}
        """By event_id."""

    def score(self, events: Iterable[FraudEvent]) -> None:
        """Score payments, each after the one before."""
        for event in events:
            state = self.states.get(event.account_id, b"")
            row = self._pipeline.resume(state, encode_event(event), None)
            outputs = self._model.forward([joined([value]) for value in row.inputs])
            [answer] = self._pipeline.encode([row], outputs)
            [self.states[event.account_id]] = self._pipeline.states([row], outputs)
            assert isinstance(answer, bytes), answer
            self.scores[event.event_id] = msgspec.json.decode(answer, type=FraudScore).score


def parted(state: bytes) -> tuple[list[float], Any]:
    """Return what the model remembers of an account, and the sums and sets of its past."""
    _, memory, past = msgspec.msgpack.decode(state)
    return list(struct.unpack(f"<{len(memory) // 4}f", memory)), past
