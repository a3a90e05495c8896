"""Calls of tritonclient, sync or aio: every method, and inference in every form. Runs in the clients' environment.

`python triton_calls.py sync|aio HOST:PORT TOKEN` prints a JSON object: per call what came back, or what was raised.
"""

import asyncio
import inspect
import json
import sys
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import ml_dtypes
import numpy as np
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

Outcome = dict[str, Any]
Call = Callable[[], Any]
ROW = np.array([[1, 2, 3, 4]], np.float32)


def methods(client: Any) -> dict[str, Call]:
    """Return a call of every method but infer."""
    return {
        "is_server_live": client.is_server_live,
        "is_server_ready": client.is_server_ready,
        "is_model_ready": lambda: client.is_model_ready("sums"),
        "is_model_ready, version": lambda: client.is_model_ready("sums", "1"),
        "is_model_ready, unknown": lambda: client.is_model_ready("nothing"),
        "get_server_metadata": client.get_server_metadata,
        "get_model_metadata": lambda: client.get_model_metadata("sums"),
        "get_model_metadata, version": lambda: client.get_model_metadata("sums", "1"),
        "get_model_metadata, unknown": lambda: client.get_model_metadata("nothing"),
        "get_model_metadata, odd": lambda: client.get_model_metadata("a/b c"),
        "get_model_config": lambda: client.get_model_config("sums"),
        "get_model_config, version": lambda: client.get_model_config("sums", "1"),
        "get_model_repository_index": client.get_model_repository_index,
        "unload_model": lambda: client.unload_model("spare"),
        "is_model_ready, unloaded": lambda: client.is_model_ready("spare"),
        "load_model": lambda: client.load_model("spare"),
        "is_model_ready, loaded": lambda: becomes_ready(client, "spare"),
        "load_model, config": lambda: client.load_model("spare", config="{}"),
        "load_model, unknown": lambda: client.load_model("nothing"),
        "get_inference_statistics": client.get_inference_statistics,
        "get_inference_statistics, model": lambda: client.get_inference_statistics("sums"),
        "get_inference_statistics, version": lambda: client.get_inference_statistics("sums", "1"),
        "update_trace_settings": lambda: client.update_trace_settings(settings={"trace_level": "OFF"}),
        "get_trace_settings": client.get_trace_settings,
        "update_log_settings": lambda: client.update_log_settings({"log_info": True}),
        "get_log_settings": client.get_log_settings,
        "get_system_shared_memory_status": client.get_system_shared_memory_status,
        "register_system_shared_memory": lambda: client.register_system_shared_memory("r", "/r", 8),
        "unregister_system_shared_memory": client.unregister_system_shared_memory,
        "get_cuda_shared_memory_status": client.get_cuda_shared_memory_status,
        "register_cuda_shared_memory": lambda: client.register_cuda_shared_memory("r", b"r", 0, 8),
        "unregister_cuda_shared_memory": client.unregister_cuda_shared_memory,
    }


async def becomes_ready(client: Any, model: str) -> bool:
    """Ask until the model is ready; web workers learn of a new runner one after the other."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        is_ready = client.is_model_ready(model)
        if await is_ready if inspect.isawaitable(is_ready) else is_ready:
            return True
        await asyncio.sleep(0.05)
    return False


class Parts:
    """Makes inputs and outputs of one of the two clients."""

    def __init__(self, http: ModuleType) -> None:
        self.output = http.InferRequestedOutput
        self._input = http.InferInput

    def tensor(self, name: str, datatype: str, values: np.ndarray, *, binary: bool = True) -> Any:
        """Return an input that holds the values."""
        made = self._input(name, list(values.shape), datatype)
        made.set_data_from_numpy(values, binary_data=binary)
        return made


def inferences_of_numbers(client: Any, make: Parts) -> dict[str, Call]:
    """Return a call of infer per form of input, output and option."""
    x, x_json = make.tensor("x", "FP32", ROW), make.tensor("x", "FP32", ROW, binary=False)
    many = make.tensor("x", "FP32", np.repeat(ROW, 8, axis=0))
    in_json = make.output("scores", binary_data=False)
    classes = make.output("scores", class_count=2)
    classes_in_json = make.output("scores", binary_data=False, class_count=9)
    gzip = {"request_compression_algorithm": "gzip", "response_compression_algorithm": "gzip"}
    deflate = {"request_compression_algorithm": "deflate", "response_compression_algorithm": "deflate"}
    options = {"priority": 2, "timeout": 20_000_000, "parameters": {"mine": 1.5}}
    return {
        "binary both ways": lambda: client.infer("sums", [x]),
        "binary to JSON": lambda: client.infer("sums", [x], outputs=[in_json]),
        "JSON to binary": lambda: client.infer("sums", [x_json]),
        "JSON both ways": lambda: client.infer("sums", [x_json], outputs=[in_json]),
        "many rows": lambda: client.infer("sums", [many]),
        "version": lambda: client.infer("sums", [x], model_version="1"),
        "id": lambda: client.infer("sums", [x], request_id="one/2 three"),
        "options": lambda: client.infer("sums", [x], **options),
        "classes": lambda: client.infer("sums", [x], outputs=[classes]),
        "classes in JSON": lambda: client.infer("sums", [many], outputs=[classes_in_json]),
        "gzip": lambda: client.infer("sums", [many], **gzip),
        "deflate": lambda: client.infer("sums", [many], **deflate),
    }


def inferences_of_others(client: Any, make: Parts) -> dict[str, Call]:
    """Return calls with two inputs, none, texts and every datatype."""
    left, right = np.array([[1.5], [2.5]], np.float32), np.array([[1, 2, 3], [4, 5, 6]], np.int64)
    mixed = [make.tensor("left", "FP32", left), make.tensor("right", "INT64", right, binary=False)]
    none = [make.tensor("left", "FP32", left[:, :0]), make.tensor("right", "INT64", right[:, :0])]
    two_forms = [make.output("turned"), make.output("doubled", binary_data=False)]
    texts = np.array([b"", b"nul\x00inside", "é€😀".encode(), b"x" * 2**20], object)
    texts_in_json = [make.output(name, binary_data=False) for name in ("same", "length")]
    return {
        "mixed": lambda: client.infer("pair", mixed, outputs=two_forms),
        "zero size": lambda: client.infer("pair", none),
        "texts": lambda: client.infer("echo", [make.tensor("text", "BYTES", texts)]),
        "texts in JSON": lambda: client.infer(
            "echo", [make.tensor("text", "BYTES", texts, binary=False)], outputs=texts_in_json
        ),
        "every datatype": lambda: client.infer("everything", everything(make.tensor)),
    }


def inferences_that_fail(client: Any, make: Parts) -> dict[str, Call]:
    """Return calls that the server has to refuse."""
    x = make.tensor("x", "FP32", ROW)
    return {
        "unknown model": lambda: client.infer("nothing", [x]),
        "unknown version": lambda: client.infer("sums", [x], model_version="77"),
        "unknown output": lambda: client.infer("sums", [x], outputs=[make.output("missing")]),
        "wrong shape": lambda: client.infer("sums", [make.tensor("x", "FP32", ROW[:, :3])]),
        "failing model": lambda: client.infer("fails", [make.tensor("x", "FP32", -ROW[:, :2])]),
    }


def everything(tensor: Callable[..., Any]) -> list[Any]:
    """Return an input of each datatype; the values are those that tests/contract/oip expects back."""
    kinds = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
    inputs = [tensor("bools", "BOOL", np.array([[True, False]]))]
    for kind in kinds:
        limits = np.iinfo(kind)
        inputs.append(tensor(kind, kind.upper(), np.array([[limits.min, limits.max]], kind)))
    inputs.append(tensor("fp16", "FP16", np.array([[1.5, -65504.0]], np.float16)))
    inputs.append(tensor("bf16", "BF16", np.array([[1.5, -3.0e38]], ml_dtypes.bfloat16)))
    inputs.append(tensor("fp32", "FP32", np.array([[1.5, -3.0e38]], np.float32)))
    inputs.append(tensor("fp64", "FP64", np.array([[1.5, -1.0e308]], np.float64)))
    return inputs


async def outcome(call: Call) -> Outcome:
    """Make a call; say what it returned, or the error that a user would see."""
    try:
        result = call()
        if inspect.isawaitable(result):
            result = await result
    except InferenceServerException as err:
        return {"raised": err.message(), "status": err.status()}
    except Exception as err:  # noqa: BLE001 - whatever a client raises is what the test wants to know
        return {"crashed": repr(err)}
    return {"returned": plain(result)}


def plain(result: Any) -> Any:
    """Return a result as JSON can hold it: of an inference the JSON part and the arrays."""
    if not hasattr(result, "as_numpy"):
        return result

    head = result.get_response()
    arrays = {member["name"]: result.as_numpy(member["name"]) for member in head["outputs"]}
    return {"head": head, "arrays": {name: listed(array) for name, array in arrays.items()}}


def listed(array: np.ndarray) -> Any:
    """Return an array's elements; bytes as hexadecimal."""
    if array.dtype == object:
        return [one.hex() if isinstance(one, bytes) else one.encode().hex() for one in array.reshape(-1)]
    return array.tolist()


async def main(kind: str, address: str, token: str) -> dict[str, Outcome]:
    """Make all calls with one client that adds the token to each, by a plug-in as users do."""
    http = tritonclient.http if kind == "sync" else tritonclient.http.aio
    client = http.InferenceServerClient(address)
    client.register_plugin(Bearer(token))
    # One order for all: loading and unloading depend on what came before.
    calls = methods(client)
    for more in (inferences_of_numbers, inferences_of_others, inferences_that_fail):
        calls |= more(client, Parts(http))
    outcomes = {name: await outcome(call) for name, call in calls.items()}
    if kind == "sync":
        outcomes["async_infer"] = await outcome(lambda: async_infer(client, http))
    closing = client.close()
    if inspect.isawaitable(closing):
        await closing
    return outcomes


def async_infer(client: Any, http: ModuleType) -> Any:
    """Infer on a greenlet of the sync client."""
    return client.async_infer("sums", [Parts(http).tensor("x", "FP32", ROW)]).get_result()


class Bearer(tritonclient.http.InferenceServerClientPlugin):
    """Adds a token to each request."""

    def __init__(self, token: str) -> None:
        self._value = f"Bearer {token}"

    def __call__(self, request: Any) -> None:
        request.headers["Authorization"] = self._value


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201 - the answer to the test that started this
