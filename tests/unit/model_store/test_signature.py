"""Tensors keep their values through JSON, and what does not fit a signature is said plainly."""

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from app.errors import SignatureMismatch
from model_store.manifest import Datatype, TensorSpec
from model_store.signature import (
    Sample,
    SampleTensor,
    check_array,
    decode_samples,
    encode_samples,
    from_array,
    numpy_dtype,
    to_array,
)

SPEC = TensorSpec(name="x", datatype="FP32", shape=[-1, 3])
FINITE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tensor(datatype: Any, data: list[Any], shape: list[int] | None = None) -> SampleTensor:
    return SampleTensor(name="x", datatype=datatype, shape=shape or [len(data)], data=data)


def round_trip(datatype: Datatype, array: NDArray[Any]) -> NDArray[Any]:
    written = encode_samples([Sample(inputs=[from_array("x", datatype, array)], outputs=[])])
    return to_array(decode_samples(written)[0].inputs[0])


@given(
    arrays.arrays(
        np.float32, arrays.array_shapes(min_side=0), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
    )
)
def test_floats_come_back_bit_for_bit(array: NDArray[np.float32]) -> None:
    back = round_trip("FP32", array)

    assert back.dtype == array.dtype
    np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("datatype", get_args(Datatype))
def test_every_datatype_comes_back(datatype: Datatype) -> None:
    dtype = numpy_dtype(datatype)
    array = np.array(["", "häß", "x"], dtype=object) if dtype.kind == "O" else np.array([0, 1, 1], dtype=dtype)

    np.testing.assert_array_equal(round_trip(datatype, array), array)


def test_the_widest_integers_come_back() -> None:
    array = np.array([0, 2**64 - 1], dtype=np.uint64)

    np.testing.assert_array_equal(round_trip("UINT64", array), array)


def test_an_unknown_datatype_is_named() -> None:
    with pytest.raises(SignatureMismatch, match="FP8"):
        numpy_dtype("FP8")


@pytest.mark.parametrize(
    "wrong",
    [
        tensor("UINT8", [256]),
        tensor("UINT8", [-1]),
        tensor("INT64", [2**63]),
        tensor("INT32", [1.5]),
        tensor("INT32", [True]),
        tensor("BOOL", [1]),
        tensor("FP32", ["1"]),
        tensor("FP32", [1e39]),
        tensor("FP16", [1e5]),
        tensor("BYTES", [1]),
        tensor("FP32", [1.0, 2.0], [3]),
        tensor("FP32", [1.0, 2.0], [-1, -2]),
        tensor("FP32", [], [-1]),
        tensor("FP32", [], [0, 10**30]),
        tensor("FP32", [1.0], [1] * 70),
    ],
)
def test_elements_that_do_not_fit_are_refused(wrong: SampleTensor) -> None:
    with pytest.raises(SignatureMismatch, match="'x'"):
        to_array(wrong)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_without_a_json_form_are_refused(value: float) -> None:
    with pytest.raises(SignatureMismatch, match="not finite"):
        from_array("x", "FP32", np.array([value], dtype=np.float32))


def test_an_array_of_another_type_is_refused() -> None:
    with pytest.raises(SignatureMismatch, match="float64"):
        from_array("x", "FP32", np.zeros(1))


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"samples": [1]}', b'{"samples": [{"inputs": []}]}', b"\xff"])
def test_unreadable_samples_are_refused(data: bytes) -> None:
    with pytest.raises(SignatureMismatch, match="cannot be read"):
        decode_samples(data)


def test_two_tensors_of_one_name_in_a_sample_are_refused() -> None:
    twice = [tensor("FP32", [1.0]), tensor("FP32", [2.0])]

    for sample in (Sample(inputs=twice, outputs=[]), Sample(inputs=[], outputs=twice)):
        with pytest.raises(SignatureMismatch, match="two tensors named 'x'"):
            decode_samples(encode_samples([sample]))


@pytest.mark.parametrize("rows", [0, 1, 7])
def test_a_free_dimension_takes_any_size(rows: int) -> None:
    check_array(SPEC, np.zeros((rows, 3), dtype=np.float32))


@pytest.mark.parametrize("shape", [(3,), (1, 4), (1, 3, 1)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(SignatureMismatch, match="shape"):
        check_array(SPEC, np.zeros(shape, dtype=np.float32))


def test_another_datatype_is_refused() -> None:
    with pytest.raises(SignatureMismatch, match="float64"):
        check_array(SPEC, np.zeros((1, 3)))
