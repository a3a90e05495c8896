"""Which kinds of jobs there are."""

from pathlib import Path

import pytest

from app.errors import InvalidFields
from app.scenarios.job_inputs import InputFormat
from app.scenarios.job_kind import JobKind
from app.scenarios.job_kinds import JOB_KINDS, find_kind
from tests.factories.settings import make_settings

EACH_KIND = pytest.mark.parametrize("kind", JOB_KINDS.values(), ids=JOB_KINDS)


@pytest.mark.parametrize("name", JOB_KINDS)
def test_kinds_are_found_by_name(name: str) -> None:
    assert find_kind(name).name == name


@pytest.mark.parametrize("name", ["", "verification", "Images", "x" * 1000])
def test_of_an_unknown_kind_those_there_are_are_named(name: str) -> None:
    with pytest.raises(InvalidFields) as caught:
        find_kind(name)

    kinds = "recommendations, images, text, fraud, tensor"
    assert caught.value.errors == {"kind": [f"There is no such kind of job; there are {kinds}."]}


@EACH_KIND
def test_rows_may_come_as_lines_as_tables_and_as_one_body(kind: JobKind) -> None:
    assert {InputFormat.NDJSON, InputFormat.CSV, InputFormat.PARQUET, InputFormat.RAW} <= kind.formats


@EACH_KIND
def test_columns_of_results_leave_room_for_the_number_of_the_row(kind: JobKind) -> None:
    assert "row" not in kind.columns
    assert len(set(kind.columns)) == len(kind.columns)


def test_scenarios_have_a_model_and_tensors_want_one_named(tmp_path: Path) -> None:
    named = {"images_model": "eyes", "recommendations_model": "taste", "text_model": "reader", "fraud_model": "guard"}
    settings = make_settings(tmp_path, **named)

    models = {name: kind.default_model(settings) for name, kind in JOB_KINDS.items()}
    assert models == {
        "recommendations": "taste",
        "images": "eyes",
        "text": "reader",
        "fraud": "guard",
        "tensor": None,
    }


@EACH_KIND
def test_parameters_that_were_read_are_read_again_as_the_same(kind: JobKind) -> None:
    parameters = kind.read_parameters({})

    assert kind.read_parameters(parameters) == parameters
