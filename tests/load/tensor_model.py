"""The MLP of the tensor benchmark, 784 → 256 → 256 → 10, and its request in both forms of the protocol."""

import itertools
import json
import random
import struct
from pathlib import Path

import torch
from torch import nn

from tests.load.http_load import Request

NAME = "mlp"
WIDTH, HIDDEN, CLASSES = 784, 256, 10
MANIFEST = {
    "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, WIDTH]}],
    "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, CLASSES]}],
    "max_batch_size": 64,
}


def write_model(folder: Path, *, hidden: int = HIDDEN, layers: int = 2) -> Path:
    """Script an MLP with random weights into `folder`; return its file, with its manifest beside it."""
    torch.manual_seed(0)
    widths = [WIDTH, *[hidden] * layers]
    steps = [nn.Sequential(nn.Linear(before, after), nn.ReLU()) for before, after in itertools.pairwise(widths)]
    module = nn.Sequential(*steps, nn.Linear(hidden, CLASSES))
    path = folder / f"mlp-{hidden}x{layers}.pt"
    torch.jit.save(torch.jit.script(module.eval()), path)
    path.with_suffix(".json").write_text(json.dumps(MANIFEST), "utf-8")
    return path


def json_request(url: str, token: str = "", *, model: str = NAME) -> Request:
    """Return one row as JSON, asking for a JSON answer."""
    tensor = {"name": "pixels", "shape": [1, WIDTH], "datatype": "FP32", "data": _pixels()}
    body = json.dumps({"inputs": [tensor]}).encode()
    return Request(url=_infer(url, model), token=token, body=body, content_type="application/json")


def binary_request(url: str, token: str = "", *, model: str = NAME) -> Request:
    """Return one row as raw bytes behind its JSON header, asking for a binary answer."""
    data = struct.pack(f"<{WIDTH}f", *_pixels())
    tensor = {
        "name": "pixels",
        "shape": [1, WIDTH],
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(data)},
    }
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return Request(
        url=_infer(url, model),
        token=token,
        body=head + data,
        content_type="application/octet-stream",
        headers={"Inference-Header-Content-Length": str(len(head))},
    )


def _infer(url: str, model: str) -> str:
    return f"{url}/v2/models/{model}/infer"


def _pixels() -> list[float]:
    generator = random.Random(0)
    return [round(generator.random(), 6) for _ in range(WIDTH)]
