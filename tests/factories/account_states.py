"""What the Redis of a running stack remembers of accounts."""

from dataclasses import dataclass
from typing import Any

import redis

from app.run_dir import short_run_dir
from tests.factories.scored_alone import parted
from tests.factories.stack import Stack
from tests.factories.waiting import wait_until
from workers.runner.sequence_store import VERSION_BYTES


@dataclass(frozen=True)
class AccountState:
    """How often an account was moved, what the model remembers of it, and the sums and sets of its past."""

    moves: int
    memory: list[float]
    past: Any


def account_states(stack: Stack) -> dict[str, AccountState]:
    """Return the states of all accounts, as soon as Redis answers: it may just have been killed."""
    own = f"unix://{short_run_dir(stack.var_dir)}/redis.sock"
    return states_at(stack.variables.get("STATE_REDIS_URL", own))


def states_at(url: str) -> dict[str, AccountState]:
    """Return the states of all accounts that a Redis remembers."""
    with redis.Redis.from_url(url) as client:
        wait_until(lambda: _is_there(client))
        keys = [key.decode() for key in client.keys("galley:state:fraud:*")]
        return {key.rsplit(":", 1)[1]: _read(client.get(key)) for key in keys}


def _is_there(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def _read(value: Any) -> AccountState:
    memory, past = parted(value[VERSION_BYTES:])
    return AccountState(int.from_bytes(value[:VERSION_BYTES], "big"), memory, past)
