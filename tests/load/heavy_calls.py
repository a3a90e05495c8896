"""Callers of a heavy model who ask again as soon as they are answered: over /v2, where they wait, and by jobs."""

import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec
import numpy as np

from model_store.manifest import encode_manifest
from tests.factories.tensors import Sent, make_body
from tests.load.background import meanwhile
from tests.load.job_calls import ENDED, JOBS, Unfinished
from tests.load.pictures import photo_jpeg
from tests.load.stack import Stack
from workers.training.torchvision_zoo import ZooModel, draft_from_zoo

NETWORK = "resnet18"
MODEL = f"{NETWORK}-heavy"
SHAPE = [1, 3, 224, 224]
CALLERS = 4
POLL_S = 0.1
PATIENCE_S = 60.0

Call = Callable[[httpx.Client], None]
"""Asks the model once, and returns when it has answered."""


class HeavyLoad:
    """Counts what callers were answered who all ask at once, each for a client of its own."""

    def __init__(self, stack: Stack, call: Call) -> None:
        self._stack = stack
        self._call = call
        self._counts: list[int] = []

    @property
    def answered(self) -> int:
        """Answers up to now."""
        return sum(self._counts)

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Have CALLERS ask for the length of the block."""
        with ExitStack() as callers:
            for _ in range(CALLERS):
                callers.enter_context(meanwhile(self._caller()))
            yield

    def _caller(self) -> Callable[[threading.Event], None]:
        number = len(self._counts)
        self._counts.append(0)
        headers = {"Authorization": f"Bearer {self._stack.token_of_new_client('infer')}"}

        def ask_on(is_over: threading.Event) -> None:
            with httpx.Client(base_url=self._stack.url, headers=headers, timeout=PATIENCE_S) as client:
                while not is_over.is_set():
                    self._call(client)
                    self._counts[number] += 1

        return ask_on


def publish_heavy(stack: Stack) -> None:
    """Publish the network with random weights as a heavy model."""
    with tempfile.TemporaryDirectory(prefix="galley-heavy-") as name:
        wanted = ZooModel(architecture=NETWORK, weights="none", name=MODEL)
        draft = draft_from_zoo(wanted, Path(name), report=lambda _: None)
        manifest = Path(name) / "manifest.json"
        manifest.write_bytes(encode_manifest(msgspec.structs.replace(draft.manifest, execution="heavy")))
        stack.flask("models", "publish", str(draft.artifact), "--manifest", str(manifest), "--name", MODEL)


def waiting_call() -> Call:
    """Return a call over /v2 of one row of numbers."""
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    body = make_body([Sent("image", "FP32", SHAPE, image, is_binary=True)])
    headers = {"Inference-Header-Content-Length": str(body.json_bytes), "Request-Timeout": f"{PATIENCE_S:g}"}

    def call(client: httpx.Client) -> None:
        client.post(f"/v2/models/{MODEL}/infer", content=body.data, headers=headers).raise_for_status()

    return call


def job_call() -> Call:
    """Return a call of the scenario's route, which is answered with a job: it is followed to its end, and deleted."""
    picture = photo_jpeg()
    path = f"/api/v1/images/classifications?model={MODEL}"

    def call(client: httpx.Client) -> None:
        job_id = (
            client.post(path, content=picture, headers={"Content-Type": "image/jpeg"}).raise_for_status().json()["id"]
        )
        while (job := client.get(f"{JOBS}/{job_id}").raise_for_status().json())["state"] not in ENDED:
            time.sleep(POLL_S)
        if job["state"] != "succeeded":
            raise Unfinished(f"The job ended otherwise: {job}")
        client.delete(f"{JOBS}/{job_id}").raise_for_status()

    return call
