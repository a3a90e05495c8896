"""What Redis knows of clients' use: one hash per client and day, `galley:usage:CLIENT:DATE`, which expires.

Its fields are `class:CLASS:COUNTER` and `model:MODEL:COUNTER`, with the counters of `Used`. Days are those of UTC.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from importlib.resources import files
from typing import Final
from uuid import uuid4

import msgspec
import redis

from app.infra.redis import redis_errors

PREFIX: Final = "galley:usage:"
MOST_FIELDS: Final = 2000
"""Fields of a day of one client, about 50 bytes each: those of 300 models. What more models got is counted by class."""
RECEIPT_S: Final = 600
DAY_S: Final = 86_400


@dataclass(kw_only=True)
class Used:
    """How many requests there were and how they ended; `rows` are those that models answered."""

    requests: int = 0
    answered: int = 0
    caller_errors: int = 0
    refused: int = 0
    errors: int = 0
    rows: int = 0

    @classmethod
    def of(cls, status: int, requests: int, rows: int) -> "Used":
        """Return what requests are that ended with one HTTP status."""
        used = cls(requests=requests, rows=rows)
        if status < 400:
            used.answered = requests
        elif status == 429:
            used.refused = requests
        elif status < 500:
            used.caller_errors = requests
        else:
            used.errors = requests
        return used


@dataclass(frozen=True, kw_only=True)
class DayOfUse:
    """What a client used in a day, by class of route and by model."""

    day: date
    classes: dict[str, Used] = field(default_factory=lambda: defaultdict(Used))
    models: dict[str, Used] = field(default_factory=lambda: defaultdict(Used))


@dataclass(frozen=True, slots=True)
class Use:
    """Requests that are alike: of one client and day, to one class of routes and one model, ended by one status.

    `day` counts from 1970. `model` is empty where no model was chosen.
    """

    day: int
    client_id: str
    limit_class: str
    model: str
    status: int


@dataclass(frozen=True, kw_only=True)
class UsageBatch:
    """What goes to Redis in one call; `batch_id` lets it be sent again without counting twice."""

    batch_id: str
    size: int
    days: Mapping[str, Mapping[str, int]]


def make_batch(uses: Mapping[Use, tuple[int, int]]) -> UsageBatch:
    """Fold requests and rows into the counts of days."""
    days: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for use, (requests, rows) in uses.items():
        counts = days[_key(use.client_id, use.day)]
        subjects = (f"class:{use.limit_class}", f"model:{use.model}") if use.model else (f"class:{use.limit_class}",)
        for name, amount in vars(Used.of(use.status, requests, rows)).items():
            for subject in subjects if amount else ():
                counts[f"{subject}:{name}"] += amount
    return UsageBatch(batch_id=uuid4().hex, size=sum(requests for requests, _ in uses.values()), days=days)


class UsageStore:
    """Reads and writes usage in Redis, where days are kept for `keep_days`. Threads and greenlets may share it.

    :raises RedisUnavailable: from all methods, when Redis does not answer.
    """

    def __init__(self, client: redis.Redis, *, keep_days: int) -> None:
        self._client = client
        self._keep_s = (keep_days + 1) * DAY_S
        self._add = client.register_script(files("app.infra").joinpath("record_usage.lua").read_text())

    def add(self, batch: UsageBatch) -> None:
        """Add a batch whole, in one call; one that was added already changes nothing."""
        days = [{"key": key, "keep_s": self._keep_s, "counts": counts} for key, counts in batch.days.items()]
        payload = {"receipt_s": RECEIPT_S, "most_fields": MOST_FIELDS, "days": days}
        with redis_errors():
            self._add(keys=[f"{PREFIX}batch:{batch.batch_id}"], args=[msgspec.msgpack.encode(payload)])

    def days(self, client_id: str, *, until: float, count: int) -> list[DayOfUse]:
        """Return the last `count` days in which the client asked for something, the newest first.

        The newest is that of `until`, in seconds since the epoch.
        """
        numbers = [int(until // DAY_S) - back for back in range(count)]
        with redis_errors(), self._client.pipeline(transaction=False) as pipeline:
            for number in numbers:
                pipeline.hgetall(_key(client_id, number))
            counted = pipeline.execute()
        return [_day(number, counts) for number, counts in zip(numbers, counted, strict=True) if counts]


def _key(client_id: str, day: int) -> str:
    return f"{PREFIX}{client_id}:{_date(day)}"


def _date(day: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + day)


def _day(number: int, counts: Mapping[bytes, bytes]) -> DayOfUse:
    day = DayOfUse(day=_date(number))
    for name, amount in counts.items():
        kind, subject, counter = name.decode().split(":")
        setattr((day.classes if kind == "class" else day.models)[subject], counter, int(amount))
    return day
