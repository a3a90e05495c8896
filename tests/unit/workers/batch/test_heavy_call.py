"""One call of a heavy model: what the caller gets, whatever its rows, its version and its time are like."""

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from app.errors import DeadlineExceeded, InvalidTensor, ModelFailed, ModelLoading, WrongTask
from app.inference.heavy_messages import HeavyCall
from app.inference.heavy_queue import TakenCall
from app.inference.messages import Form, InferReply, Refusal, decode_reply
from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.factories.engines import make_engine
from tests.factories.models import colour_manifest, publish_model
from tests.factories.tensors import Body, Sent, image_body, json_body, make_body, read_outputs, spec
from tests.factories.versions import make_store
from workers.batch import heavy_call
from workers.batch.heavy_call import HeavyAnswer, HeavyDesk


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return make_store(tmp_path)


@pytest.fixture
def desk(store: ModelStore) -> HeavyDesk:
    return HeavyDesk(make_engine(store), threads=2)


@pytest.fixture
def ref(store: ModelStore, tmp_path: Path) -> ModelRef:
    return publish_model(store, tmp_path, manifest=colour_manifest(execution="heavy"))


def taken(store: ModelStore, ref: ModelRef, body: Body, *, left_s: float = 8.0, **changes: Any) -> TakenCall:
    """Return a call that had ten seconds when it was let in."""
    fields: dict[str, Any] = {
        "name": ref.name,
        "version": ref.version,
        "digest": store.digest(ref),
        "limit_s": 10.0,
        "parameters": {"json_bytes": body.json_bytes},
    }
    return TakenCall(call=HeavyCall(**{**fields, **changes}), rows=[body.data], left_s=left_s)


def pictures(rows: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng().random((rows, 3, 8, 8), dtype=np.float32)


def refusal(answer: HeavyAnswer) -> Refusal:
    (frame,) = answer.frames
    header = decode_reply(frame)
    assert isinstance(header, Refusal)
    return header


@pytest.mark.parametrize("rows", [0, 1, 20])
def test_rows_are_answered_and_timed(desk: HeavyDesk, store: ModelStore, ref: ModelRef, rows: int) -> None:
    images = pictures(rows)

    answer = desk.answer(taken(store, ref, image_body(images)))

    header, frame = decode_reply(answer.frames[0]), answer.frames[1]
    assert isinstance(header, InferReply)
    np.testing.assert_allclose(read_outputs(frame)["scores"], images.mean(axis=(2, 3)) * 10.0, rtol=1e-4)
    # It waited for two seconds before a worker took it.
    assert 2.0 <= header.queue_s < 10.0
    assert 0.0 < header.compute_s <= answer.took_s


def test_bad_row_fails_as_in_a_runner(desk: HeavyDesk, store: ModelStore, ref: ModelRef) -> None:
    answer = desk.answer(taken(store, ref, json_body(inputs=[])))

    header = decode_reply(answer.frames[0])
    assert isinstance(header, InferReply)
    assert [failure.code for failure in header.failures] == [InvalidTensor.code]


def test_requests_own_timeout_counts_from_when_it_was_let_in(desk: HeavyDesk, store: ModelStore, ref: ModelRef) -> None:
    body = make_body([Sent("image", "FP32", [1, 3, 8, 8], pictures(1))], parameters={"timeout": 1_000_000})

    header = decode_reply(desk.answer(taken(store, ref, body)).frames[0])

    assert isinstance(header, InferReply)
    assert [failure.code for failure in header.failures] == [DeadlineExceeded.code]


def test_version_that_is_broken_is_tried_again_later(desk: HeavyDesk, store: ModelStore, ref: ModelRef) -> None:
    said = refusal(desk.answer(taken(store, ref, image_body(pictures(1)), digest="0" * 64)))
    assert (said.code, said.retry_after_s) == (ModelLoading.code, 5.0)

    said = refusal(desk.answer(taken(store, ref, image_body(pictures(1)), name="gone")))
    assert said.code == ModelLoading.code


def test_model_is_not_asked_when_nobody_waits_any_more(desk: HeavyDesk, store: ModelStore, ref: ModelRef) -> None:
    with pytest.raises(DeadlineExceeded):
        desk.answer(taken(store, ref, image_body(pictures(1)), left_s=0.0))


def test_answer_that_redis_would_not_carry_is_refused(desk: HeavyDesk, store: ModelStore, ref: ModelRef) -> None:
    with mock.patch.object(heavy_call, "MOST_ANSWER_BYTES", 10):
        said = refusal(desk.answer(taken(store, ref, image_body(pictures(1)))))

    assert said.code == ModelFailed.code
    assert "bytes, more than the 10" in said.detail


def test_model_without_a_scenario_says_so(desk: HeavyDesk, store: ModelStore, tmp_path: Path) -> None:
    whole_numbers = [spec("image", "INT64", [-1, 3, 8, 8])]
    ref = publish_model(store, tmp_path, manifest=colour_manifest(task="ranking", labels=[], inputs=whole_numbers))

    said = refusal(desk.answer(taken(store, ref, image_body(pictures(1)), form=Form.SCENARIO, parameters={})))

    assert said.code == WrongTask.code
