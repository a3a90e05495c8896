"""Jobs that classify texts: rows as bodies and as records, and what is answered to them."""

import json
from pathlib import Path

import pytest

from app.errors import GalleyError, InvalidFields, InvalidInput, ModelFailed, UnreadableBody
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content
from app.scenarios.job_text import TextJobs
from app.scenarios.text import DEFAULT_TOP_K, MAX_TEXT_BYTES
from model_store.manifest import Manifest
from tests.factories.settings import make_settings

KIND = TextJobs()
MANIFEST = Manifest(task="text-classification")
MODEL = b'{"name":"text","version":1,"variant":null}'
ANSWER = b'{"label":"order","score":0.5,"labels":[]}'


def read(content: Content, input_format: InputFormat = InputFormat.CSV) -> AskedRow:
    return KIND.reader(input_format, MANIFEST)(content)


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b'{"text":"where is it?"}', [b"where is it?"]),
        (b'{"texts":["a","\xc3\xbc"]}', [b"a", "ü".encode()]),
        (b'{"text":""}', [b""]),
        ({"text": "where is it?"}, [b"where is it?"]),
        ({"text": "42"}, [b"42"]),
        ({"text": '{"text":"x"}'}, [b'{"text":"x"}']),
    ],
)
def test_bodies_and_records_ask_for_the_same(content: Content, rows: list[bytes]) -> None:
    assert list(read(content).rows) == rows


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"text":7}', InvalidFields),
        (b'{"text":"a","texts":["b"]}', InvalidFields),
        (b"{}", InvalidFields),
        (b'{"text":"\xff"}', UnreadableBody),
        ({"text": ""}, InvalidFields),
        ({"text": None}, InvalidFields),
        ({"text": 42}, InvalidFields),
        ({"text": b"bytes"}, InvalidFields),
        ({"text": "x" * (MAX_TEXT_BYTES + 1)}, InvalidFields),
        ({"text": "a", "texts": "b"}, InvalidFields),
    ],
)
def test_what_the_route_refuses_is_a_bad_row(content: Content, error: type[GalleyError]) -> None:
    with pytest.raises(error):
        read(content)


def test_a_row_is_answered_as_the_route_answers() -> None:
    failed = ModelFailed("It failed.")
    answer = json.loads(KIND.answer(read(b'{"texts":["a","b"]}'), [ANSWER, failed], MODEL))

    assert answer["results"][0] == json.loads(ANSWER)
    assert answer["results"][1]["error"]["code"] == failed.code
    assert set(answer) == set(KIND.columns)


def test_the_failure_of_a_lone_text_is_the_rows() -> None:
    with pytest.raises(ModelFailed):
        KIND.answer(read({"text": "a"}), [ModelFailed("It failed.")], MODEL)


def test_how_many_labels_are_wanted_holds_for_all_rows() -> None:
    assert KIND.read_parameters({}) == {"top_k": DEFAULT_TOP_K}
    assert KIND.read_parameters({"top_k": 2}) == {"top_k": 2}
    with pytest.raises(InvalidFields):
        KIND.read_parameters({"top_k": 0})


def test_a_table_has_texts_and_nothing_else() -> None:
    KIND.check_columns(["text"], MANIFEST)

    with pytest.raises(InvalidInput, match="'text'"):
        KIND.check_columns([], MANIFEST)
    with pytest.raises(InvalidInput, match="'label'"):
        KIND.check_columns(["text", "label"], MANIFEST)


def test_the_model_is_the_one_of_the_route(tmp_path: Path) -> None:
    assert KIND.default_model(make_settings(tmp_path, text_model="reader")) == "reader"
