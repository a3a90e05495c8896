"""The sequence scoring pipeline: features and state in, answers and state out, and manifests that do not fit."""

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch

from app.errors import EventTooLate, GalleyError, InvalidFields, InvalidManifest, ModelFailed
from app.inference.messages import Form, SequenceCall
from app.scenarios.fraud_events import FraudEvent, encode_event
from app.scenarios.fraud_features import FEATURES, MERCHANT_RISK
from app.scenarios.fraud_state import MAX_STATE_BYTES
from model_store.manifest import StateSpec
from tests.factories.models import save_scripted, tensor
from tests.factories.payments import HOUR_MS, MONDAY_MS, Habits, after, payment, payments
from tests.factories.scoring import RISK, RISK_FILE, CountingModel, scoring_manifest
from tests.factories.sequences import answers_of
from tests.factories.tensors import spec
from tests.fakes.sequences import FakeSequenceStore
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.batch import BatchRunner
from workers.runner.loaded_model import LoadedModel
from workers.runner.loader import load_model
from workers.runner.pipelines.base import Limits, PreparedRow
from workers.runner.pipelines.registry import make_pipelines
from workers.runner.pipelines.sequence_scoring import SequenceScoringPipeline
from workers.runner.sequences import SequenceRunner
from workers.runner.values import joined


@pytest.fixture
def assets(tmp_path: Path) -> Assets:
    path = tmp_path / "risk.json"
    path.write_bytes(RISK_FILE)
    return Assets({"risk.json": path})


@pytest.fixture
def pipeline(assets: Assets) -> SequenceScoringPipeline:
    return SequenceScoringPipeline(scoring_manifest(), Limits(), assets)


def score(
    pipeline: SequenceScoringPipeline, events: Sequence[FraudEvent], states: Sequence[bytes]
) -> tuple[list[Any], list[bytes]]:
    """Score events of different accounts in one batch; return the answers and the new states."""
    model = LoadedModel(pipeline.manifest, CountingModel())
    pairs = zip(states, events, strict=True)
    rows = [pipeline.resume(state, encode_event(event), None) for state, event in pairs]
    outputs = model.forward([joined(values) for values in zip(*(row.inputs for row in rows), strict=True)])
    answers = pipeline.encode(rows, outputs)
    read = [answer if isinstance(answer, GalleyError) else msgspec.json.decode(answer) for answer in answers]
    return read, pipeline.states(rows, outputs)


def columns(row: PreparedRow) -> list[float]:
    (event,) = tensor(joined(row.inputs[:1])).tolist()
    return list(event)


def memory(row: PreparedRow) -> list[list[float]]:
    return list(tensor(joined(row.inputs[1:])).tolist())


def test_a_model_reads_the_features_it_names(pipeline: SequenceScoringPipeline) -> None:
    known = pipeline.prepare(encode_event(payment(merchant_id="bad", amount=3.5)), None)
    stranger = pipeline.prepare(encode_event(payment(merchant_id="new")), None)

    assert columns(known) == [0.75, 3.5, 1.0]
    assert columns(stranger) == [RISK.usual, 12.5, 1.0]
    assert known.inputs[1].shape == (1, 2)


def test_an_answer_tells_score_decision_and_reasons(pipeline: SequenceScoringPipeline) -> None:
    (bad, good), _ = score(pipeline, [payment(merchant_id="bad"), payment(amount=0.1)], [b"", b""])

    assert bad == {"score": 0.75, "decision": "decline", "reasons": [{"feature": "amount", "effect": 12.5}]}
    assert good == {"score": 0.125, "decision": "approve", "reasons": []}


def test_each_account_goes_on_with_its_own_state(pipeline: SequenceScoringPipeline) -> None:
    accounts = [payments(count, Habits(2000.0), seed=count) for count in (1, 4, 9)]
    states = [b""] * 3
    for turn in range(9):
        moving = [place for place, events in enumerate(accounts) if turn < len(events)]
        answers, moved = score(pipeline, [accounts[place][turn] for place in moving], [states[at] for at in moving])
        for place, answer, state in zip(moving, answers, moved, strict=True):
            states[place] = state
            often = [each["effect"] for each in answer["reasons"] if each["feature"] == "often"]
            assert often == ([turn] if turn else [])

    for events, state in zip(accounts, states, strict=True):
        row = pipeline.resume(state, encode_event(payment(events[-1].occurred_ms)), None)
        at = FEATURES.index("count_1h")
        assert columns(row)[2] == after([*events, payment(events[-1].occurred_ms)])[1][-1][at]


def test_events_of_one_batch_are_answered_as_one_by_one(assets: Assets, tmp_path: Path) -> None:
    manifest = scoring_manifest(name="fraud")
    save_scripted(CountingModel(), tmp_path / "model.pt")
    model = load_model(tmp_path, manifest)
    pipelines = {Form.SCENARIO: SequenceScoringPipeline(manifest, Limits(), assets)}
    accounts = [payments(5, seed=seed, account=f"{seed}") for seed in (1, 2, 3)]
    events = [events[turn] for turn in range(5) for events in accounts]
    sent = [
        (encode_event(event), SequenceCall(key=event.account_id, keep_s=9, event=event.event_id, answer_keep_s=9))
        for event in events
    ]
    stores: list[Any] = [FakeSequenceStore(), FakeSequenceStore()]
    at_once, one_by_one = (SequenceRunner(BatchRunner(model, pipelines), store) for store in stores)
    together = answers_of(at_once, [*sent, sent[0]])

    assert together[:-1] == [answer for each in sent for answer in answers_of(one_by_one, [each])]
    assert together[-1] == together[0]
    assert [msgspec.json.decode(answer)["reasons"][-1]["effect"] for answer in together[-4:-1]] == [4.0] * 3


def test_a_state_stays_within_four_kilobytes(pipeline: SequenceScoringPipeline) -> None:
    state = b""
    for event in payments(400, Habits(1000.0, merchants=300, countries=60)):
        _, (state,) = score(pipeline, [event], [state])

    assert len(state) < MAX_STATE_BYTES


def test_another_version_takes_up_the_past_and_forgets_the_memory(
    pipeline: SequenceScoringPipeline, assets: Assets
) -> None:
    other = SequenceScoringPipeline(scoring_manifest(sha256="cd" * 32), Limits(), assets)
    first, second, third = (payment(MONDAY_MS + place) for place in range(3))
    _, (state,) = score(pipeline, [first], [b""])
    row = other.resume(state, encode_event(second), None)

    assert other.state_schema() == pipeline.state_schema()
    assert columns(row)[2] == 2.0
    assert memory(row) == [[0.0, 0.0]]
    _, (state,) = score(other, [second], [state])
    assert memory(other.resume(state, encode_event(third), None)) == [[1.0, 12.5]]


def test_an_event_that_is_too_late_is_refused(pipeline: SequenceScoringPipeline) -> None:
    _, (state,) = score(pipeline, [payment(MONDAY_MS + 2 * HOUR_MS)], [b""])

    with pytest.raises(EventTooLate):
        pipeline.resume(state, encode_event(payment(MONDAY_MS)), None)


@pytest.mark.parametrize("data", [b"", b"{}", b"\x91\x01", b"\xc1"])
def test_a_row_that_is_no_event_is_refused(pipeline: SequenceScoringPipeline, data: bytes) -> None:
    with pytest.raises(InvalidFields):
        pipeline.prepare(data, None)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -0.1, 1.1])
def test_a_score_that_is_no_probability_fails_its_row_alone(pipeline: SequenceScoringPipeline, value: float) -> None:
    outputs = [torch.zeros(2, 2), torch.tensor([value, 0.5]), torch.zeros(2, 2)]
    bad, good = pipeline.encode([pipeline.prepare(encode_event(payment()), None)] * 2, outputs)

    assert isinstance(bad, ModelFailed)
    assert isinstance(good, bytes)


def test_an_answer_of_another_version_says_so(pipeline: SequenceScoringPipeline) -> None:
    assert msgspec.json.decode(pipeline.answer_of(7, b'{"score":0.5}')) == {"score": 0.5, "version": 7}


@pytest.mark.parametrize(("numbers", "fits"), [(2, True), (200, True), (237, True), (238, False), (5000, False)])
def test_memory_and_the_longest_past_are_within_four_kilobytes(assets: Assets, numbers: int, fits: bool) -> None:
    manifest = scoring_manifest()
    changes: dict[str, Any] = {
        "inputs": [manifest.inputs[0], spec("seen", "FP32", [-1, numbers])],
        "outputs": [spec("seen_after", "FP32", [-1, numbers]), *manifest.outputs[1:]],
        "state": [StateSpec(input="seen", output="seen_after", shape=[numbers])],
    }
    with nullcontext() if fits else pytest.raises(InvalidManifest, match=f"would take {4 * numbers}"):
        SequenceScoringPipeline(scoring_manifest(**changes), Limits(), assets)


def test_it_takes_no_parameters(pipeline: SequenceScoringPipeline) -> None:
    pipeline.read_parameters({})
    with pytest.raises(InvalidFields):
        pipeline.read_parameters({"k": 1})


def test_the_rehearsal_is_a_row(pipeline: SequenceScoringPipeline) -> None:
    row = pipeline.prepare(pipeline.rehearsal().data, None)

    assert [value.shape for value in row.inputs] == [(1, 3), (1, 2)]
    assert pipeline.is_quick(b"", None)


def test_without_reasons_there_is_no_second_output() -> None:
    outputs = scoring_manifest().outputs[:2]
    scoring = {"reasons": [], "merchant_risk": None, "features": ["amount", "sum_7d", "is_pos"]}
    pipeline = SequenceScoringPipeline(scoring_manifest(outputs=outputs, scoring=scoring), Limits(), NO_ASSETS)
    row = pipeline.prepare(encode_event(payment(channel="pos")), None)

    assert columns(row) == [12.5, 12.5, 1.0]
    assert pipeline.encode([row], [torch.zeros(1, 2), torch.tensor([[0.5]])]) == [
        b'{"score":0.5,"decision":"review","reasons":[]}'
    ]


def test_a_model_without_the_section_is_asked_for_tensors_only(assets: Assets) -> None:
    without = msgspec.structs.replace(scoring_manifest(), scoring=None)

    assert Form.SCENARIO in make_pipelines(scoring_manifest(), Limits(), assets)
    assert list(make_pipelines(without, Limits(), assets)) == [Form.TENSORS]


def test_shares_that_are_none_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "risk.json"
    path.write_bytes(b'{"usual":7,"merchants":{}}')

    with pytest.raises(InvalidManifest, match=r"'risk\.json' holds no shares of fraud"):
        SequenceScoringPipeline(scoring_manifest(), Limits(), Assets({"risk.json": path}))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"scoring": {"features": ["amount", "colour", "hour_sin"]}}, "no feature 'colour'"),
        ({"scoring": {"features": ["amount"]}}, r"FP32 of shape \[-1, 1\]"),
        ({"scoring": {"merchant_risk": None}}, f"no feature '{MERCHANT_RISK}'"),
        ({"scoring": {"merchant_risk": "other.json"}}, "'other.json'"),
        ({"scoring": {"reasons": ["amount"]}}, r"\[-1, reasons\]"),
        ({"scoring": {"reasons": []}}, r"\[-1, reasons\]"),
        ({"scoring": {"review_at": 0.9}}, "nothing would be reviewed"),
        ({"inputs": [spec("event", "FP64", [-1, 3]), spec("seen", "FP32", [-1, 2])]}, "FP32 of shape"),
    ],
)
def test_manifests_that_do_not_fit_are_refused(assets: Assets, changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(InvalidManifest, match=complaint):
        SequenceScoringPipeline(scoring_manifest(**changes), Limits(), assets)
