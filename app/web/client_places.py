"""What clients hold open at a web worker, counted so that none holds it all."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.errors import UnavailableError


class ClientPlaces:
    """So many places for each client; `refusal` makes the error for one more. Share it between greenlets."""

    def __init__(self, most: int, refusal: Callable[[int], UnavailableError]) -> None:
        self._most = most
        self._refusal = refusal
        self._taken: Counter[str] = Counter()

    @property
    def count(self) -> int:
        """How many are taken by all clients."""
        return self._taken.total()

    @contextmanager
    def take(self, client_id: str) -> Iterator[None]:
        """Take a place of a client for the length of the block.

        :raises UnavailableError: the refusal, when it has as many as it may.
        """
        if self._taken[client_id] >= self._most:
            raise self._refusal(self._most)

        self._taken[client_id] += 1
        try:
            yield
        finally:
            self._taken[client_id] -= 1
            if not self._taken[client_id]:
                del self._taken[client_id]
