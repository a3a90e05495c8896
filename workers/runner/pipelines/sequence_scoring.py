"""The sequence scoring pipeline: a payment and what is known of its account → features → score, decision, reasons.

The state of an account is whose memory it holds, that memory, and the account's own past. Another version takes up the
past, and begins its memory anew: numbers of other weights mean nothing to it.
"""

import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import torch
from msgspec import Struct
from torch import Tensor

from app.errors import GalleyError, InvalidFields, InvalidManifest, ModelFailed
from app.scenarios.fraud_answers import SCORE_DIGITS, FraudScore, answer_of, decide, encode_score, strongest
from app.scenarios.fraud_events import TASK, FraudEvent, decode_event, encode_event
from app.scenarios.fraud_features import FEATURES, MERCHANT_RISK, advance
from app.scenarios.fraud_risk import MerchantRisk
from app.scenarios.fraud_state import MAX_STATE_BYTES, STATE_VERSION, AccountState, fullest_state
from model_store.manifest import ARTIFACT_FILE, Manifest, Scoring, TensorSpec
from model_store.signature import SampleTensor
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.pipelines.base import Limits, PreparedRow, Rehearsal, SequencePipeline
from workers.runner.pipelines.registry import register
from workers.runner.sequence_store import VERSION_BYTES
from workers.runner.state import StateLayout
from workers.runner.values import Packed, Value

# 2026-01-01 00:00 UTC, for the row that is made up.
_SOME_DAY_MS: Final = 1_767_225_600_000
_OWNER_BYTES: Final = 8


class _Account(Struct, array_like=True):
    """What is remembered of an account. The memory of a version is none to another, which `owner` tells apart."""

    owner: bytes = b""
    memory: bytes = b""
    past: AccountState = msgspec.field(default_factory=AccountState)


_encode_account: Final = msgspec.msgpack.Encoder().encode
_decode_account: Final = msgspec.msgpack.Decoder(_Account).decode


@register(TASK)
class SequenceScoringPipeline(SequencePipeline):
    """Score payments: the features of one and the model's memory of its account in; a score and a new memory out."""

    def __init__(self, manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> None:
        super().__init__(manifest, limits, assets)
        self._scoring = _section(manifest)
        self._layout = StateLayout(manifest)
        _check_size(self._layout.size_bytes)
        self._owner = _owner(manifest)
        self._inputs = [spec.name for spec in manifest.inputs]
        self._score_at, self._effects_at = _output_places(manifest, self._scoring)
        self._risk = _risk(self._scoring, assets)
        self._columns = _columns(self._scoring, has_risk=self._risk is not None)
        self._pack = struct.Struct(f"<{len(self._columns)}f").pack
        self._event_shape = (1, len(self._columns))

    @classmethod
    def serves(cls, manifest: Manifest) -> bool:
        """Say whether the manifest tells which features the model reads."""
        return manifest.scoring is not None

    def read_parameters(self, raw: dict[str, Any]) -> None:
        """Take none: an event says it all.

        :raises InvalidFields: when there are some.
        """
        if raw:
            raise InvalidFields({"parameters": [f"A score takes no parameters, such as {next(iter(raw))!r}."]})

    def is_quick(self, _data: bytes, _parameters: None) -> bool:
        """Say that it always is: the features of an event take 0.02 ms."""
        return True

    def prepare(self, data: bytes, parameters: None) -> PreparedRow:
        """Read an event of an account that nothing is known of."""
        return self.resume(b"", data, parameters)

    def state_schema(self) -> str:
        """Return what an account's past looks like: whose memory lies before it, and how long it is, the state says."""
        return f"account {STATE_VERSION}"

    def answer_of(self, version: int, answer: bytes) -> bytes:
        """Return the answer with the version that gave it."""
        return answer_of(version, answer)

    def resume(self, state: bytes, data: bytes, _parameters: None) -> PreparedRow:
        """Move the account's past on by an event; the context is that past.

        :raises EventTooLate: when the event is older than its account's newest by more than is taken.
        """
        try:
            event = decode_event(data)
        except msgspec.MsgspecError as err:
            raise InvalidFields({"row": [f"{err}."]}) from err

        account = _decode_account(state) if state else _Account()
        features = advance(account.past, event)
        if self._risk is not None:
            features += (self._risk.of(event.merchant_id),)
        columns = Packed(self._pack(*map(features.__getitem__, self._columns)), torch.float32, self._event_shape)
        inputs = self._layout.read(account.memory if account.owner == self._owner else b"")
        return PreparedRow(tuple([inputs.get(name, columns) for name in self._inputs]), account.past)

    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        """Return the score of each row with decision and reasons; a row whose score is no probability failed."""
        scores = _floats(outputs[self._score_at]).flatten().tolist()
        effects = (
            [[]] * len(rows) if self._effects_at is None else _floats(outputs[self._effects_at]).tolist()
        )  # fmt: skip
        return [self._answer(score, moved) for score, moved in zip(scores, effects, strict=True)]

    def states(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes]:
        """Return the owner of the memory, the memory, and the account's past, of each row."""
        memories = self._layout.write(outputs)
        return [
            _encode_account(_Account(self._owner, memory, row.context))
            for row, memory in zip(rows, memories, strict=True)
        ]

    def rehearsal(self, _usual: Sequence[SampleTensor] = ()) -> Rehearsal:
        """Return a payment of nobody's."""
        return Rehearsal(encode_event(FraudEvent("event", "account", "merchant", 49.9, _SOME_DAY_MS, "pos", "DE")))

    def _answer(self, score: float, effects: list[float]) -> bytes | GalleyError:
        if not 0 <= score <= 1:
            return ModelFailed("The model answered a score that is no probability.")

        rounded = round(score, SCORE_DIGITS)
        limits = self._scoring
        decision = decide(rounded, review_at=limits.review_at, decline_at=limits.decline_at)
        return encode_score(FraudScore(rounded, decision, strongest(limits.reasons, effects)))


def _floats(value: Value) -> Tensor:
    assert isinstance(value, Tensor)
    return value.float()


def _section(manifest: Manifest) -> Scoring:
    scoring = manifest.scoring
    if scoring is None:
        raise InvalidManifest("The manifest lacks 'scoring', which says what the model reads of an event.")
    if scoring.review_at > scoring.decline_at:
        raise InvalidManifest("In 'scoring', 'review_at' is over 'decline_at': nothing would be reviewed.")

    carried = {state.input for state in manifest.state}
    events = [(spec.datatype, spec.shape) for spec in manifest.inputs if spec.name not in carried]
    if events != [("FP32", [-1, len(scoring.features)])]:
        raise InvalidManifest(
            "A model whose manifest has 'scoring' takes one input besides its state, FP32 of shape "
            f"[-1, {len(scoring.features)}]: a column for each of the features."
        )
    return scoring


def _check_size(memory_bytes: int) -> None:
    """Check that a version's memory fits beside the longest past, however many payments there will be."""
    fullest = _Account(bytes(_OWNER_BYTES), bytes(memory_bytes), fullest_state())
    size_bytes = VERSION_BYTES + len(_encode_account(fullest))
    if size_bytes > MAX_STATE_BYTES:
        most_bytes = MAX_STATE_BYTES - (size_bytes - memory_bytes)
        raise InvalidManifest(
            f"The state of a model whose manifest has 'scoring' may take {most_bytes} bytes beside an account's past; "
            f"it would take {memory_bytes}."
        )


def _owner(manifest: Manifest) -> bytes:
    """Return the first bytes of the artifact's hash, which tell its memory from others'; a draft has none."""
    artifact = manifest.files.get(ARTIFACT_FILE)
    return b"" if artifact is None else bytes.fromhex(artifact.sha256)[:_OWNER_BYTES]


def _output_places(manifest: Manifest, scoring: Scoring) -> tuple[int, int | None]:
    """Return at which places among the outputs the score and the effects are; None without reasons."""
    carried = {state.output for state in manifest.state}
    places = [place for place, spec in enumerate(manifest.outputs) if spec.name not in carried]
    shapes = [[-1], [-1, 1]], [[-1, len(scoring.reasons)]]
    wanted = shapes[: 2 if scoring.reasons else 1]
    specs = [manifest.outputs[place] for place in places]
    if len(specs) != len(wanted) or not all(map(_is_float_of, specs, wanted)):
        raise InvalidManifest(
            "A model whose manifest has 'scoring' gives, besides its state, a score of floats and shape [-1] or "
            "[-1, 1], and with 'reasons' then floats of shape [-1, reasons]."
        )
    return places[0], places[1] if scoring.reasons else None


def _is_float_of(spec: TensorSpec, shapes: list[list[int]]) -> bool:
    return spec.datatype in ("FP16", "BF16", "FP32", "FP64") and spec.shape in shapes


def _risk(scoring: Scoring, assets: Assets) -> MerchantRisk | None:
    return None if scoring.merchant_risk is None else assets.merchant_risk(scoring.merchant_risk)


def _columns(scoring: Scoring, *, has_risk: bool) -> list[int]:
    """Return at which place each feature of the model's stands among those that are known of every event."""
    known = [*FEATURES, MERCHANT_RISK] if has_risk else [*FEATURES]
    strangers = [name for name in scoring.features if name not in known]
    if strangers:
        raise InvalidManifest(f"There is no feature {strangers[0]!r}; there are {', '.join(known)}.")

    return [known.index(name) for name in scoring.features]
