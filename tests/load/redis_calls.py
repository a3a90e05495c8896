"""What the stack asks of Redis, by Redis' own counters."""

from collections.abc import Mapping
from dataclasses import dataclass

import redis

# What asking costs must not be in the answer.
OWN = frozenset({"info", "client", "client|setinfo", "hello"})


@dataclass(frozen=True, kw_only=True)
class RedisCalls:
    """Calls of each command and the microseconds they took, and how often Redis read from a connection.

    A pipeline or a script is read at once: the reads are the round trips. What a script calls counts as calls as well.
    """

    reads: int
    calls: Mapping[str, int]
    microseconds: Mapping[str, int]

    def since(self, earlier: "RedisCalls") -> "RedisCalls":
        """Return what came on top of an earlier look."""
        return RedisCalls(
            reads=self.reads - earlier.reads,
            calls=_grown(self.calls, earlier.calls),
            microseconds=_grown(self.microseconds, earlier.microseconds),
        )


def redis_calls(url: str) -> RedisCalls:
    """Read the counters of the Redis of a stack."""
    with redis.Redis.from_url(url, decode_responses=True) as client:
        commands = client.info("commandstats")
        stats = client.info("stats")
    named = {name.removeprefix("cmdstat_"): facts for name, facts in commands.items()}
    counted = {name: facts for name, facts in named.items() if name not in OWN}
    return RedisCalls(
        reads=stats["total_reads_processed"],
        calls={name: facts["calls"] for name, facts in counted.items()},
        microseconds={name: facts["usec"] for name, facts in counted.items()},
    )


def used_bytes(url: str) -> int:
    """Return the bytes that the data of the Redis of a stack takes, by its own word."""
    with redis.Redis.from_url(url) as client:
        return int(client.info("memory")["used_memory"])


def _grown(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    grown = {name: value - before.get(name, 0) for name, value in now.items()}
    return {name: value for name, value in grown.items() if value}
