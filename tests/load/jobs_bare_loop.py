"""The work of a job without any server: read Parquet, score in batches, write a line per row, in one plain loop.

`python -m tests.load.jobs_bare_loop VERSION_FOLDER INPUT OUTPUT THREADS BATCH` prints the seconds that it took. What it
needs besides, the model and the ids and titles of its items, is loaded before they are counted.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow.parquet as pq
import torch

from model_store.manifest import ARTIFACT_FILE, MANIFEST_FILE, Manifest, decode_manifest
from workers.runner.assets import Assets

WARM_UP = 5


@dataclass(frozen=True, kw_only=True)
class BareLoop:
    """One way to run it: torch's threads and rows per call of the model."""

    threads: int
    batch: int

    def seconds(self, version: Path, source: Path, target: Path) -> float:
        """Run it in a process of its own and return the seconds that it took."""
        words = [str(version), str(source), str(target), str(self.threads), str(self.batch)]
        command = [sys.executable, "-m", __name__, *words]
        return float(json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout))


def read_manifest_of(version: Path) -> Manifest:
    """Return the manifest of a version's folder."""
    return decode_manifest((version / MANIFEST_FILE).read_bytes())


class Scorer:
    """A version of the recommender, and what its rows and columns stand for."""

    def __init__(self, version: Path) -> None:
        manifest = read_manifest_of(version)
        assert manifest.ranking is not None
        assert manifest.ranking.titles is not None
        assets = Assets.of(version, manifest)
        self._model = torch.jit.freeze(torch.jit.load(str(version / ARTIFACT_FILE)).eval())  # type: ignore[no-untyped-call]
        self._rows = {int(user): row for row, user in enumerate(assets.ids(manifest.ranking.users))}
        self._items = assets.ids(manifest.ranking.items).tolist()
        self._titles = assets.texts(manifest.ranking.titles)
        self._answered_by = {"name": version.parent.name, "version": int(version.name), "variant": None}

    def lines(self, first_row: int, users: list[int], k: int) -> Iterator[bytes]:
        """Score users in one call of the model and yield a line for each."""
        with torch.inference_mode():
            scores = self._model(torch.tensor([self._rows[user] for user in users]))
            best = torch.topk(scores, k, dim=1)
        values, columns = best.values.numpy(), best.indices.tolist()
        for place, user in enumerate(users):
            items = [
                {"item_id": self._items[column], "score": score, "title": self._titles[column]}
                for column, score in zip(columns[place], values[place], strict=True)
            ]
            line = {"row": first_row + place, "user_id": user, "items": items, "cold_start": False}
            yield orjson.dumps({**line, "model": self._answered_by}, option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"


def run(scorer: Scorer, source: Path, target: Path, *, batch: int) -> int:
    """Score a file, write another; return how many rows there were."""
    row = 1
    with pq.ParquetFile(source) as parquet, target.open("wb") as file:  # type: ignore[no-untyped-call]
        for records in parquet.iter_batches(batch_size=batch):  # type: ignore[no-untyped-call]
            users, k = records.column("user_id").to_pylist(), int(np.max(records.column("k")))
            file.writelines(scorer.lines(row, users, k))
            row += len(users)
    return row - 1


def main() -> None:
    """Be the process: load, warm up, run, print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("version", "source", "target"):
        parser.add_argument(name, type=Path)
    for name in ("threads", "batch"):
        parser.add_argument(name, type=int)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    scorer = Scorer(given.version)
    for _ in range(WARM_UP):
        list(scorer.lines(1, [1] * given.batch, 1))
    started = time.perf_counter()
    run(scorer, given.source, given.target, batch=given.batch)
    sys.stdout.write(json.dumps(time.perf_counter() - started) + "\n")


if __name__ == "__main__":
    main()
