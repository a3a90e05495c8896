"""Calls of KServe's InferenceRESTClient, every route it has for v2. Runs in the clients' environment.

`python kserve_calls.py URL TOKEN` prints a JSON object: per call what came back, or what was raised.
"""

import asyncio
import json
import sys
from collections.abc import Awaitable
from typing import Any

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import InferResponse, RequestedOutput

ROWS = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)


def request(model: str, name: str, values: np.ndarray, datatype: str, *, binary: bool, asked: bool) -> InferRequest:
    """Return a request of one tensor; `asked` wants the answer in binary."""
    tensor = InferInput(name, list(values.shape), datatype)
    tensor.set_data_from_numpy(values, binary_data=binary)
    return InferRequest(model, [tensor], request_id="mine", parameters={"binary_data_output": asked})


async def main(url: str, token: str) -> dict[str, Any]:
    """Make all calls, one after the other."""
    client = InferenceRESTClient(RESTConfig(protocol="v2", timeout=30))
    headers = {"Authorization": f"Bearer {token}"}

    def infer(made: Any, model: str = "sums") -> Awaitable[Any]:
        return client.infer(url, made, model_name=model, headers=dict(headers))

    by_name = InferRequest(
        "sums",
        request("sums", "x", ROWS, "FP32", binary=False, asked=False).inputs,
        request_outputs=[RequestedOutput("scores", {"binary_data": True})],
    )
    texts = np.array([b"", "é€".encode(), b"nul\x00inside"], object)
    calls = {
        "is_server_live": client.is_server_live(url),
        "is_server_ready": client.is_server_ready(url),
        "is_model_ready": client.is_model_ready(url, "sums", headers=headers),
        "JSON": infer(request("sums", "x", ROWS, "FP32", binary=False, asked=False)),
        "binary": infer(request("sums", "x", ROWS, "FP32", binary=True, asked=True)),
        "JSON to binary": infer(request("sums", "x", ROWS, "FP32", binary=False, asked=True)),
        "output in binary": infer(by_name),
        "a dictionary": infer({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [[1, 2, 3, 4]]}]}),
        "texts": infer(request("echo", "text", texts, "BYTES", binary=True, asked=True), "echo"),
        "unknown model": infer(request("nothing", "x", ROWS, "FP32", binary=False, asked=False), "nothing"),
        "wrong shape": infer(request("sums", "x", ROWS[:, :3], "FP32", binary=True, asked=True)),
    }
    outcomes = {name: await outcome(call) for name, call in calls.items()}
    await client.close()
    return outcomes


async def outcome(call: Awaitable[Any]) -> dict[str, Any]:
    """Wait for a call; say what it returned, or the error that a user would see."""
    try:
        result = await call
    except httpx.HTTPStatusError as err:
        return {"raised": str(err), "status": err.response.status_code}
    except Exception as err:  # noqa: BLE001 - whatever a client raises is what the test wants to know
        return {"crashed": repr(err)}
    return {"returned": plain(result)}


def plain(result: Any) -> Any:
    """Return a result as JSON can hold it."""
    if not isinstance(result, InferResponse):
        return result

    arrays = {output.name: output.as_numpy() for output in result.outputs}
    return {"id": result.id, "arrays": {name: listed(array) for name, array in arrays.items()}}


def listed(array: np.ndarray) -> Any:
    """Return an array's elements; bytes as hexadecimal."""
    if array.dtype == object:
        return [one.hex() if isinstance(one, bytes) else one.encode().hex() for one in array.reshape(-1)]
    return array.tolist()


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(*sys.argv[1:]))))  # noqa: T201 - the answer to the test that started this
