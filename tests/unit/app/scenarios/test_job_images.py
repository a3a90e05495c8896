"""Jobs that classify pictures: files and records, and what is answered to them."""

import base64
import json

import pytest

from app.errors import GalleyError, InvalidFields, InvalidInput, UnreadableImage, UnreadableRow
from app.scenarios.images import DEFAULT_TOP_K, ImageAnswer, LabelScore, encode_answer
from app.scenarios.job_images import ImageJobs
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import AskedRow, Content
from model_store.manifest import Manifest

KIND = ImageJobs()
MANIFEST = Manifest(task="image-classification")
FILE = b"\x89PNG\x00\xff"
TEXT = base64.b64encode(FILE).decode()
MODEL = b'{"name":"digits","version":1,"variant":null}'


def read(content: Content, input_format: InputFormat) -> AskedRow:
    return KIND.reader(input_format, MANIFEST)(content)


@pytest.mark.parametrize("input_format", [InputFormat.ZIP, InputFormat.TAR, InputFormat.RAW])
def test_a_file_is_the_row_as_it_is(input_format: InputFormat) -> None:
    assert read(FILE, input_format) == AskedRow([FILE])


@pytest.mark.parametrize(
    ("content", "input_format"),
    [
        (json.dumps({"image": TEXT, "name": "a.png"}).encode(), InputFormat.NDJSON),
        ({"image": TEXT, "name": "a.png"}, InputFormat.CSV),
        ({"image": FILE, "name": "a.png"}, InputFormat.PARQUET),
    ],
)
def test_records_hold_a_file_and_its_name(content: Content, input_format: InputFormat) -> None:
    assert read(content, input_format) == AskedRow([FILE], name="a.png")


@pytest.mark.parametrize("name", [{}, {"name": ""}, {"name": None}])
def test_the_name_may_be_missing(name: dict[str, None]) -> None:
    assert read({"image": FILE, **name}, InputFormat.PARQUET).name == ""


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b'{"image":"?"}', InvalidFields),
        (b'{"image":"","top_k":3}', InvalidFields),
        (b'{"name":"a"}', InvalidFields),
        (b"[1]", InvalidFields),
        (b'{"image":', UnreadableRow),
        (b'{"name":"\xff"}', UnreadableRow),
        (b"[" * 5000, InvalidFields),
        ({"image": ""}, InvalidFields),
        ({"image": None}, InvalidFields),
        ({"image": 7}, InvalidFields),
        ({"image": "no base64"}, InvalidFields),
        ({"image": FILE, "name": "x" * 1025}, InvalidFields),
    ],
)
def test_what_holds_no_file_is_a_bad_row(content: Content, error: type[GalleyError]) -> None:
    with pytest.raises(error):
        read(content, InputFormat.NDJSON)


def test_what_is_told_of_a_bad_row_is_short() -> None:
    with pytest.raises(InvalidFields) as caught:
        read({"image": FILE, "x" * 10_000: 1}, InputFormat.CSV)

    assert len(str(caught.value.errors)) < 300


def test_top_k_is_of_the_whole_job() -> None:
    assert KIND.read_parameters({}) == {"top_k": DEFAULT_TOP_K}
    assert KIND.read_parameters({"top_k": 1}) == {"top_k": 1}


@pytest.mark.parametrize("raw", [{"top_k": 0}, {"top_k": "5"}, {"size": 3}])
def test_other_parameters_are_refused(raw: dict[str, object]) -> None:
    with pytest.raises(InvalidFields):
        KIND.read_parameters(raw)


def test_a_picture_is_answered_as_if_alone() -> None:
    row = encode_answer(ImageAnswer([LabelScore(7, "seven", 0.5)], width=2, height=3))
    answer = json.loads(KIND.answer(AskedRow([FILE]), [row], MODEL))

    assert answer == {
        "results": [{"labels": [{"index": 7, "label": "seven", "score": 0.5}], "width": 2, "height": 3}],
        "model": json.loads(MODEL),
    }
    assert set(answer) <= set(KIND.columns)


def test_a_picture_that_failed_is_a_bad_row() -> None:
    with pytest.raises(UnreadableImage):
        KIND.answer(AskedRow([FILE]), [UnreadableImage("truncated")], MODEL)


def test_a_table_needs_pictures() -> None:
    KIND.check_columns(["image", "name"], MANIFEST)

    with pytest.raises(InvalidInput, match="no column 'image'"):
        KIND.check_columns(["name"], MANIFEST)
