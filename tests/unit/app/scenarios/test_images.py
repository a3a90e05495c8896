"""The wire form of an image answer, and what a caller may choose."""

from typing import Any

import pytest

from app.errors import InvalidFields
from app.scenarios.images import (
    DEFAULT_TOP_K,
    MAX_TOP_K,
    ImageAnswer,
    LabelScore,
    decode_answer,
    encode_answer,
    read_parameters,
)


def test_an_answer_survives_the_wire() -> None:
    answer = ImageAnswer([LabelScore(3, "Zürich", 0.75), LabelScore(0, "0", 0.25)], 40, 30)

    assert decode_answer(encode_answer(answer)) == answer


@pytest.mark.parametrize(("raw", "top_k"), [({}, DEFAULT_TOP_K), ({"top_k": 1}, 1), ({"top_k": MAX_TOP_K}, MAX_TOP_K)])
def test_reads_what_a_caller_chose(raw: dict[str, Any], top_k: int) -> None:
    assert read_parameters(raw).top_k == top_k


@pytest.mark.parametrize("top_k", [0, -1, MAX_TOP_K + 1, "3", 2.5, None, True])
def test_other_values_are_refused(top_k: object) -> None:
    with pytest.raises(InvalidFields) as caught:
        read_parameters({"top_k": top_k})

    assert "top_k" in caught.value.errors["parameters"][0]
