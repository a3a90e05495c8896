"""What Redis knows of experiments: batches of assignments go in, counts and who got which variant come out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any

import msgspec
import redis

from app.infra.redis import redis_errors
from app.services.assignment_batches import SEGMENTS, Batch, Shares, unit_digest
from app.services.experiment_keys import counts_key, newest_key, receipt_key, segment_prefix, shares_key


@dataclass(frozen=True)
class Assigned:
    """The variant that a request or a subject got, and of which revision of the route."""

    revision: int
    variant: str


@dataclass(kw_only=True)
class VariantCounts:
    """What was counted of one variant; `latencies` by bucket of the histogram."""

    requests: int = 0
    errors: int = 0
    caller_errors: int = 0
    subjects: int = 0
    latencies: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ExperimentCounts:
    """What was counted of one revision, by variant, and how its buckets were dealt, where that is known."""

    variants: dict[str, VariantCounts]
    shares: Shares | None


class ExperimentStore:
    """Reads and writes experiments in Redis. Threads and greenlets may share it.

    :raises RedisUnavailable: from all methods, when Redis does not answer.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._add = client.register_script(files("app.infra").joinpath("record_assignments.lua").read_text())

    def add(self, batch: Batch) -> None:
        """Add a batch whole, in one call; one that was added already changes nothing."""
        with redis_errors():
            self._add(keys=[receipt_key(batch.batch_id)], args=[batch.payload, batch.digests])

    def counts(self, model_name: str, revision: int) -> ExperimentCounts:
        """Return what was counted of a revision; nothing is no error."""
        with redis_errors(), self._client.pipeline(transaction=False) as pipeline:
            pipeline.hgetall(counts_key(model_name, revision))
            pipeline.get(shares_key(model_name, revision))
            counts, shares = pipeline.execute()
        return ExperimentCounts(variants=_variants(counts), shares=_shares(shares))

    def find(self, model_name: str, units: Sequence[str]) -> dict[str, Assigned]:
        """Return who of `units` got which variant last; those that nothing is known of are left out."""
        if not units:
            return {}

        digests = [unit_digest(unit) for unit in units]
        with redis_errors():
            newest = int(self._client.get(newest_key(model_name)) or 0)
            with self._client.pipeline(transaction=False) as pipeline:
                for number in range(max(newest - SEGMENTS + 1, 0), newest + 1):
                    pipeline.hmget(f"{segment_prefix(model_name)}{number}", digests)
                segments = pipeline.execute()
        # The newest segment comes last, and has the last word.
        return {
            unit: _assigned(value)
            for segment in segments
            for unit, value in zip(units, segment, strict=True)
            if value is not None
        }


def _assigned(value: bytes) -> Assigned:
    revision, _, variant = value.decode().partition(":")
    return Assigned(int(revision), variant)


def _variants(counts: dict[bytes, bytes]) -> dict[str, VariantCounts]:
    variants: dict[str, VariantCounts] = {}
    for name, value in counts.items():
        variant, _, counter = name.decode().rpartition(":")
        counted = variants.setdefault(variant, VariantCounts())
        if counter.startswith("b"):
            counted.latencies[int(counter[1:])] = int(value)
        else:
            setattr(counted, counter, int(value))
    return variants


def _shares(value: Any) -> Shares | None:
    return msgspec.json.decode(value, type=dict[str, float]) if value else None
