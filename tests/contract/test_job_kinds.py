"""What a job answers to a row is what the scenario's single call answers, byte for byte, and so are its refusals."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from flask.testing import FlaskClient

from app.errors import GalleyError
from app.inference.messages import RowFailure
from app.inference.refusals import row_error
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content
from app.scenarios.job_kinds import find_kind
from app.scenarios.outcomes import Outcome, write_answered_by
from app.scenarios.recommendations import decode_row
from app.scenarios.tensor_frames import pack_answer
from model_store.manifest import Manifest, Ranking, TensorSpec
from tests.factories.payments import MEMBERS
from tests.factories.scored_events import FRAUD, event_body, scored
from tests.factories.versions import make_manifest
from tests.factories.web import WebWorker
from tests.fakes.inference import NOT_AN_IMAGE, label_by_size

PICTURE = b"\x89PNG picture"
LINE = json.dumps({"image": base64.b64encode(PICTURE).decode()}).encode()
TENSORS = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[0.5,2]}]}'
RANKING = make_manifest(
    task="ranking",
    inputs=[TensorSpec(name="user", datatype="INT64", shape=[-1])],
    outputs=[TensorSpec(name="scores", datatype="FP32", shape=[-1, 3])],
    ranking=Ranking(users="users.npy", items="items.npy", cold_row=0),
)
SUM = make_manifest(inputs=[TensorSpec(name="x", datatype="FP32", shape=[-1, 2])])


def ranked(row: bytes, _top_k: int) -> bytes:
    user = decode_row(row)
    return b'{"user_id":%d,"items":[{"item_id":%d,"score":1.25}],"cold_start":false}' % (user.user_id, user.k)


def labelled(row: bytes, _top_k: int) -> bytes:
    return b'{"label":"%d bytes","score":0.5,"labels":[]}' % len(row)


def summed(row: bytes, _top_k: int) -> bytes:
    return pack_answer(b'{"model_name":"sum","model_version":"1","outputs":[{"data":[%d]}]}' % len(row), None)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A kind of job, the route of its single call, and what its runner answers."""

    kind: str
    path: str
    model: str
    manifest: Manifest
    answer: Callable[[bytes, int], bytes]


SCENARIOS = {
    "recommendations": Scenario(
        kind="recommendations",
        path="/api/v1/recommendations",
        model="recommender",
        manifest=RANKING,
        answer=ranked,
    ),
    "images": Scenario(
        kind="images",
        path="/api/v1/images/classifications",
        model="digits",
        manifest=make_manifest(),
        answer=label_by_size,
    ),
    "text": Scenario(
        kind="text",
        path="/api/v1/text/classifications",
        model="text",
        manifest=make_manifest(task="text-classification"),
        answer=labelled,
    ),
    "fraud": Scenario(
        kind="fraud",
        path=FRAUD,
        model="fraud",
        manifest=make_manifest(task="sequence-scoring"),
        answer=scored,
    ),
    "tensor": Scenario(kind="tensor", path="/v2/models/sum/infer", model="sum", manifest=SUM, answer=summed),
}


@dataclass
class BothWays:
    """Asks a scenario by its route, and as a job would."""

    scenario: Scenario
    worker: WebWorker
    client: FlaskClient

    def post(self, body: bytes) -> Any:
        """Return the route's response."""
        content_type = "application/octet-stream" if self.scenario.kind == "images" else "application/json"
        return self.client.post(
            self.scenario.path, data=body, headers={**self.worker.bearer(), "Content-Type": content_type}
        )

    def read(self, content: Content, input_format: InputFormat) -> AskedRow:
        """Return a row as its kind reads it."""
        return find_kind(self.scenario.kind).reader(input_format, self.scenario.manifest)(content)

    def answer(self, asked: AskedRow, *outcomes: Outcome) -> bytes:
        """Return the job's answer to a row."""
        kind = find_kind(self.scenario.kind)
        parameters = kind.read_parameters({})
        rows = outcomes or [self.scenario.answer(row, parameters.get("top_k", 5)) for row in asked.rows]
        return kind.answer(asked, rows, write_answered_by(self.scenario.model, 1, None))


@pytest.fixture
def ask(request: pytest.FixtureRequest, worker: WebWorker, client: FlaskClient) -> BothWays:
    scenario = SCENARIOS[request.param]
    worker.publish(name=scenario.model, manifest=scenario.manifest)
    worker.inference.answer = scenario.answer
    return BothWays(scenario, worker, client)


@pytest.mark.parametrize(
    ("ask", "body", "content", "input_format"),
    [
        ("recommendations", b'{"user_id":7,"k":3}', b'{"k":3,"user_id":7}', InputFormat.NDJSON),
        ("recommendations", b'{"user_id":7,"k":3}', {"user_id": 7, "k": 3}, InputFormat.PARQUET),
        ("recommendations", b'{"user_id":7,"exclude":[5]}', {"user_id": "7", "exclude": "[5]"}, InputFormat.CSV),
        ("recommendations", b'{"user_ids":[7,8]}', {"user_ids": [7, 8], "k": None}, InputFormat.PARQUET),
        ("images", PICTURE, PICTURE, InputFormat.ZIP),
        ("images", PICTURE, LINE, InputFormat.NDJSON),
        ("images", PICTURE, {"image": PICTURE}, InputFormat.PARQUET),
        ("text", b'{"text":"card?"}', b'{"text":"card?"}', InputFormat.NDJSON),
        ("text", b'{"text":"42"}', {"text": "42"}, InputFormat.CSV),
        ("text", b'{"texts":["a","bc"]}', b'{"texts":["a","bc"]}', InputFormat.RAW),
        ("fraud", event_body(), event_body(), InputFormat.NDJSON),
        ("fraud", event_body(country="DE"), {**MEMBERS, "amount": "12.5", "country": "DE"}, InputFormat.CSV),
        ("fraud", event_body(), {**MEMBERS, "channel": None}, InputFormat.PARQUET),
        ("tensor", TENSORS, TENSORS, InputFormat.NDJSON),
        ("tensor", TENSORS, {"x": "[0.5,2]"}, InputFormat.CSV),
    ],
    indirect=["ask"],
)
def test_a_row_is_asked_and_answered_as_the_call(
    ask: BothWays, body: bytes, content: Content, input_format: InputFormat
) -> None:
    response = ask.post(body)
    asked = ask.read(content, input_format)

    assert response.status_code == 200
    assert list(asked.rows) == list(ask.worker.inference.calls[-1].rows)
    assert ask.answer(asked) == response.data


@pytest.mark.parametrize(
    ("ask", "body", "input_format"),
    [
        ("recommendations", b'{"user_id":"seven"}', InputFormat.NDJSON),
        ("recommendations", b'{"user_id":', InputFormat.NDJSON),
        ("images", NOT_AN_IMAGE, InputFormat.TAR),
        ("text", b'{"text":7}', InputFormat.NDJSON),
        ("text", b'{"text":"\\ud800"}', InputFormat.NDJSON),
        ("fraud", event_body(amount=-1), InputFormat.NDJSON),
        ("fraud", b'{"event":{}', InputFormat.NDJSON),
        ("tensor", NOT_AN_IMAGE, InputFormat.NDJSON),
    ],
    indirect=["ask"],
)
def test_a_row_is_refused_as_the_call(ask: BothWays, body: bytes, input_format: InputFormat) -> None:
    failed = row_error(RowFailure(row=0, code="unsupported_image", detail="The bytes are not an image."))
    response = ask.post(body)

    with pytest.raises(GalleyError) as caught:
        ask.answer(ask.read(body, input_format), failed)
    assert response.status_code >= 400
    assert response.json is not None
    assert response.json["code"] == caught.value.code
    assert caught.value.detail in response.json.values()
