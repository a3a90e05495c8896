"""The work of an image request without any server: decode, preprocess, forward, in a loop.

One process per core with one torch thread each is the fastest way known here; one process with a thread per
core gives the shortest latency for an image at a time. The model is torchvision's resnet18 as a runner serves it,
scripted and frozen (which makes it faster than the eager one), after the transforms that belong to its weights.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from PIL import Image

from workers.vision import models, transforms

WARM_UP = 5
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class BareLoop:
    """What the machine gives without a server: images/s of all cores, and seconds for one image at a time."""

    images_per_s: float
    latency_s: float


def bare_loop(body: bytes, *, seconds: float) -> BareLoop:
    """Measure both: first the rate with a process per core, then the latency with the better number of threads."""
    cores = len(os.sched_getaffinity(0))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        path.write_bytes(body)
        rates = _run(path, seconds=seconds, processes=cores, threads=1)
        alone = [_run(path, seconds=seconds, processes=1, threads=threads)[0] for threads in {1, cores}]

    return BareLoop(images_per_s=sum(rates), latency_s=1.0 / max(alone))


def loop(body: bytes, *, seconds: float, threads: int, when_warm: Callable[[], object]) -> float:
    """Return images/s of this process; `when_warm` returns when all processes may begin."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    model = torch.jit.freeze(torch.jit.script(models.resnet18(weights=None).eval()))  # type: ignore[no-untyped-call]
    preprocess = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToImage(),
            transforms.ToDtype(torch.float32, scale=True),
            transforms.Normalize(MEAN, STD),
        ]
    )

    def classify() -> None:
        picture = Image.open(BytesIO(body)).convert("RGB")
        model(preprocess(picture).unsqueeze(0)).softmax(dim=1).topk(5)

    with torch.inference_mode():
        for _ in range(WARM_UP):
            classify()
        when_warm()
        started = time.perf_counter()
        done = 0
        while time.perf_counter() - started < seconds:
            classify()
            done += 1
        return done / (time.perf_counter() - started)


def _run(path: Path, *, seconds: float, processes: int, threads: int) -> list[float]:
    """Run so many processes at the same time; return the rate of each."""
    command = [sys.executable, "-m", __name__, str(path), str(seconds), str(threads)]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(processes)
    ]
    for child in children:
        assert child.stdout is not None
        child.stdout.readline()
    # All are warm: let them go together.
    rates = []
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        output, _errors = child.communicate()
        rates.append(float(json.loads(output)))
    return rates


def _tell_and_wait() -> None:
    sys.stdout.write("warm\n")
    sys.stdout.flush()
    sys.stdin.readline()


def main() -> None:
    """Be one process of the loop: say when warm, wait for a line, print the rate."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("threads", type=int)
    given = parser.parse_args()
    rate = loop(given.path.read_bytes(), seconds=given.seconds, threads=given.threads, when_warm=_tell_and_wait)
    sys.stdout.write(json.dumps(rate) + "\n")


if __name__ == "__main__":
    main()
