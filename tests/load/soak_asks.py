"""What the HTTP callers of a soak ask for, how often, and how a right answer is told from a wrong one."""

import itertools
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from tests.load.callers import DRAWS, ITEMS, PATH, SEED, USERS
from tests.load.http_load import PAST_CACHE
from tests.load.pictures import digit_png
from tests.load.request_file import zipf_draws
from tests.load.stream_payments import Payers, Payments

# What the demo model for digits takes and gives.
DIGITS, SHAPE, LABELS = "digits", (1, 1, 96, 96), 10
TENSORS: Final = f"/v2/models/{DIGITS}/infer"
FLOAT_BYTES: Final = 4


@dataclass(frozen=True, kw_only=True)
class Question:
    """One POST, and whether an answer to it is right."""

    path: str
    content: bytes
    content_type: str
    is_right: Callable[[httpx.Response], bool]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A kind of caller: so many of it, each asking so often; `questions` are made for each of them by its number."""

    name: str
    callers: int
    rate: float
    questions: Callable[[int], Iterator[Question]]


def pictures(_caller: int) -> Iterator[Question]:
    """Ask for the digit on a picture, past the cache."""
    path, picture = "/api/v1/images/classifications?model=digits&top_k=1", digit_png()
    while True:
        yield Question(
            path=path, content=picture, content_type="image/png", headers=PAST_CACHE, is_right=_is_classified
        )


def recommendations(caller: int) -> Iterator[Question]:
    """Ask for users' recommendations; some answers are kept, as they fall."""
    for user in itertools.cycle(zipf_draws(USERS, DRAWS, seed=SEED + caller)):
        body = _json({"user_id": user, "k": ITEMS})
        yield Question(path=PATH, content=body, content_type="application/json", is_right=_is_recommended)


def payments(caller: int) -> Iterator[Question]:
    """Ask for the scores of payments, each of them new."""
    for payment in iter(Payments(f"http-{caller}", Payers()).__next__, None):
        body = b'{"event":%b}' % payment.event
        yield Question(path="/api/v1/fraud/scores", content=body, content_type="application/json", is_right=_is_scored)


def json_tensors(_caller: int) -> Iterator[Question]:
    """Ask by the Open Inference Protocol, in JSON."""
    tensor = _tensor(data=[0.5] * _size())
    while True:
        yield Question(
            path=TENSORS,
            content=_json({"inputs": [tensor]}),
            content_type="application/json",
            is_right=lambda answer: answer.json()["outputs"][0]["shape"] == [1, LABELS],
        )


def binary_tensors(_caller: int) -> Iterator[Question]:
    """Ask by the Open Inference Protocol, in raw bytes both ways."""
    data = struct.pack(f"<{_size()}f", *[0.5] * _size())
    tensor = _tensor(parameters={"binary_data_size": len(data)})
    head = _json({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    while True:
        yield Question(
            path=TENSORS,
            content=head + data,
            content_type="application/octet-stream",
            headers={"Inference-Header-Content-Length": f"{len(head)}"},
            is_right=_has_raw_scores,
        )


ASKINGS: Final = (
    Asking(name="recommendations", callers=4, rate=15.0, questions=recommendations),
    Asking(name="images", callers=2, rate=5.0, questions=pictures),
    Asking(name="tensors, JSON", callers=1, rate=5.0, questions=json_tensors),
    Asking(name="tensors, binary", callers=2, rate=5.0, questions=binary_tensors),
    Asking(name="payments over HTTP", callers=1, rate=1.0, questions=payments),
)


def _is_classified(answer: httpx.Response) -> bool:
    (result,) = answer.json()["results"]
    return len(result["labels"]) == 1


def _is_recommended(answer: httpx.Response) -> bool:
    return len(answer.json()["items"]) == ITEMS


def _is_scored(answer: httpx.Response) -> bool:
    return 0 <= float(answer.json()["score"]) <= 1


def _has_raw_scores(answer: httpx.Response) -> bool:
    head = int(answer.headers["Inference-Header-Content-Length"])
    return len(answer.content) - head == LABELS * FLOAT_BYTES


def _tensor(**members: Any) -> dict[str, Any]:
    return {"name": "pictures", "shape": SHAPE, "datatype": "FP32", **members}


def _size() -> int:
    return SHAPE[2] * SHAPE[3]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
