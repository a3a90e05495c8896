"""A v2 inference response: outputs as JSON or binary data, or their best classes, in the order asked."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from app.errors import InvalidTensor
from app.scenarios.tensor_elements import BINARY_ONLY, MAX_TEXTS, Elements, TensorData, to_binary
from app.scenarios.tensor_frames import pack_answer
from app.scenarios.tensor_shapes import count_elements
from app.scenarios.tensors import TensorRequest, WantedOutput
from model_store.manifest import Manifest


class AnswerWriter:
    """Writes the responses of one model. Keeps no state besides what it is told of the model."""

    def __init__(self, manifest: Manifest) -> None:
        self._model = {"model_name": manifest.name, "model_version": str(manifest.version)}
        self._datatypes: dict[str, str] = {spec.name: spec.datatype for spec in manifest.outputs}
        self._labels = manifest.labels
        self._is_batched = manifest.is_batched

    def write(self, request: TensorRequest, outputs: Mapping[str, TensorData], *, variant: str | None = None) -> bytes:
        """Return the frame of the response; `outputs` are the model's, by name.

        :raises InvalidTensor: when an output has no form in JSON, or too many classes are wanted.
        """
        members: dict[str, Any] = dict(self._model)
        if request.id is not None:
            members["id"] = request.id
        if variant is not None:
            members["parameters"] = {"variant": variant}
        binary: list[bytes] = []
        members["outputs"] = [self._output(wanted, outputs[wanted.name], binary) for wanted in request.outputs]
        json = orjson.dumps(members, option=orjson.OPT_SERIALIZE_NUMPY)
        is_plain = not any(wanted.is_binary for wanted in request.outputs)
        return pack_answer(b"".join([json, *binary]), None if is_plain else len(json))

    def _output(self, wanted: WantedOutput, tensor: TensorData, binary: list[bytes]) -> dict[str, Any]:
        datatype = self._datatypes[wanted.name]
        if wanted.classes:
            tensor, datatype = self._classified(wanted, tensor), "BYTES"
        member: dict[str, Any] = {"name": wanted.name, "datatype": datatype, "shape": tensor.shape}
        if wanted.is_binary:
            binary.append(to_binary(datatype, tensor.elements))
            member["parameters"] = {"binary_data_size": len(binary[-1])}
        else:
            member["data"] = _to_json(wanted.name, datatype, tensor.elements)
        return member

    def _classified(self, wanted: WantedOutput, tensor: TensorData) -> TensorData:
        """Return an output's best classes: by row, or those of the whole where a signature has no batch."""
        shape = tensor.shape if self._is_batched else [1, *tensor.shape]
        count = shape[0] * min(wanted.classes, count_elements(shape[1:]))
        if count > MAX_TEXTS:
            raise InvalidTensor(
                f"Output {wanted.name!r} would be {count} classes; at most {MAX_TEXTS} are given: ask for fewer."
            )
        best = best_classes(TensorData(shape, tensor.elements), wanted.classes, self._labels)
        return best if self._is_batched else TensorData(best.shape[1:], best.elements)


def best_classes(scores: TensorData, most: int, labels: Sequence[str]) -> TensorData:
    """Return the highest scores of each row as `value:index:label`, or without a label; of equals, the first first."""
    assert isinstance(scores.elements, np.ndarray)
    rows, classes = scores.shape[0], count_elements(scores.shape[1:])
    table = scores.elements.reshape(rows, classes)
    width = min(most, classes)
    best = _falling(table)[:, :width]
    elements = [
        _class(value, index, labels)
        for values, indices in zip(np.take_along_axis(table, best, axis=1), best.tolist(), strict=True)
        for value, index in zip(values, indices, strict=True)
    ]
    return TensorData([rows, width], elements)


def _falling(table: NDArray[Any]) -> NDArray[np.intp]:
    """Return the indices that sort each row, highest first, and what is not a number last."""
    keys = np.where(np.isnan(table), -np.inf, table) if table.dtype.kind == "f" else table
    # Turned round twice, because unsigned numbers have no negative and the sort is to keep equals in order.
    order: NDArray[np.intp] = table.shape[1] - 1 - np.argsort(keys[:, ::-1], axis=1, kind="stable")[:, ::-1]
    return order


def _class(value: np.generic, index: int, labels: Sequence[str]) -> bytes:
    number = int(value) if isinstance(value, np.bool_) else value
    text = f"{number!s}:{index}"
    return (f"{text}:{labels[index]}" if index < len(labels) else text).encode()


def _to_json(name: str, datatype: str, elements: Elements) -> NDArray[Any] | list[str]:
    if isinstance(elements, list):
        return _texts(name, elements)
    if datatype in BINARY_ONLY:
        raise InvalidTensor(f"Output {name!r} is {datatype}, which JSON has no form for; ask for it as binary data.")
    if elements.dtype.kind == "f" and not np.isfinite(elements).all():
        raise InvalidTensor(
            f"Output {name!r} holds NaN or Infinity, which JSON has no form for; ask for it as binary data."
        )
    return elements.ravel()


def _texts(name: str, elements: list[bytes]) -> list[str]:
    try:
        return [element.decode() for element in elements]
    except UnicodeDecodeError as err:
        raise InvalidTensor(f"Output {name!r} holds bytes that are no UTF-8; ask for it as binary data.") from err
