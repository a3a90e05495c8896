"""Callers that send numbers of their own over the Open Inference Protocol, as JSON and in binary, and get them back."""

import asyncio
import itertools
import json
import random
import struct
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.caller import Caller
from tests.chaos.echo_model import NAME, WIDTH
from tests.chaos.questions import RIGHTLY
from tests.chaos.releases import Releases

PATH = f"/v2/models/{NAME}/infer"
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass
class Marks:
    """Numbers that nobody else sends: an answer with another's is seen at once."""

    owner: int
    _numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def take(self) -> list[float]:
        """Return the numbers of one row."""
        number = next(self._numbers)
        return [self.owner * 1e6, float(number), number / 2, -float(number)]


async def send_tensors(caller: Caller, marks: Marks, releases: Releases, *, pace_s: float, rng: random.Random) -> None:
    """Send rows, one request after the other, each in one of the two forms."""
    while not caller.over.is_set():
        row = marks.take()
        with caller.journal.work("tensor", f"{caller.name} {row}"):
            began_s = caller.journal.now_s()
            version, told = await (_ask_binary if rng.random() < 0.5 else _ask_json)(caller, row)
            caller.journal.checked(RIGHTLY)
            for what in releases.wrong_with(version, row, told, began_s):
                caller.journal.broken(RIGHTLY, f"{caller.name}: {what}")
        await asyncio.sleep(rng.uniform(0, 2 * pace_s))


def row_request(row: list[float], name: str) -> dict[str, Any]:
    """Return a request for one row, as JSON."""
    tensor = {"name": "x", "shape": [1, WIDTH], "datatype": "FP64", "data": row}
    return {"id": name, "inputs": [tensor]}


async def _ask_json(caller: Caller, row: list[float]) -> tuple[int, list[float]]:
    answer = (await caller.ask("tensor", "POST", PATH, json=row_request(row, f"{row[1]:.0f}"))).json()
    return int(answer["model_version"]), answer["outputs"][0]["data"]


async def _ask_binary(caller: Caller, row: list[float]) -> tuple[int, list[float]]:
    data = struct.pack(f"<{WIDTH}d", *row)
    tensor = {"name": "x", "shape": [1, WIDTH], "datatype": "FP64", "parameters": {"binary_data_size": len(data)}}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers = {HEADER_LENGTH: f"{len(head)}", "Content-Type": "application/octet-stream"}
    answer = await caller.ask("tensor", "POST", PATH, content=head + data, headers=headers)
    size = int(answer.headers[HEADER_LENGTH])
    version = int(json.loads(answer.content[:size])["model_version"])
    return version, list(struct.unpack(f"<{WIDTH}d", answer.content[size:]))
