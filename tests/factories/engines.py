"""Engines of jobs in the test's own process, whose rows remember what a store in memory keeps."""

from typing import Any

from model_store.reader import ModelStore
from tests.fakes.sequences import FakeSequenceStore
from workers.batch.engine import Engine
from workers.runner.pipelines.base import Limits


def make_engine(store: ModelStore, sequences: FakeSequenceStore | None = None, **bounds: int) -> Engine:
    """Return an engine of versions in `store` that has room for all of them, unless `bounds` say otherwise."""
    kept: Any = sequences or FakeSequenceStore()
    return Engine(store, Limits(), kept, **{"most_bytes": 2**30, **bounds})
