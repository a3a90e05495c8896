"""One call whose rows this process does not all remember: what it finds in Redis, waits for, and asks a runner."""

from collections.abc import Sequence

from app.errors import DeadlineExceeded, NotCached
from app.inference.cache import AskModel, CacheAnswer, CachedCall, CacheOutcome, Kept
from app.inference.cache_metrics import metrics_of
from app.inference.cache_tiers import CacheTiers
from app.inference.client import InferAnswer
from app.inference.messages import Row, RowFailure
from app.inference.single_flight import Flight, SingleFlight


class CacheSearch:
    """The search for one call. Equal rows are looked for once."""

    def __init__(self, tiers: CacheTiers, flights: SingleFlight, call: CachedCall, ask: AskModel) -> None:
        self._tiers = tiers
        self._flights = flights
        self._call = call
        self._ask_model = ask
        self._metrics = metrics_of(call.ref.name)
        self._started = tiers.clock.monotonic()
        self._oldest = self._started - min(call.ttl_s, call.directives.max_age_s)
        self._rows: dict[bytes, Row] = {}
        self._found: dict[bytes, Kept] = {}
        self._failed: dict[bytes, RowFailure] = {}
        self._answers: list[InferAnswer] = []

    def find(self, keys: Sequence[bytes], remembered: Sequence[Kept | None]) -> CacheAnswer:
        """Return an answer for each key, where `remembered` are those that this process knows.

        :raises NotCached: when only kept answers would do, and some are missing.
        :raises DeadlineExceeded: when another request's answer, waited for, did not come in time.
        """
        self._found.update((key, kept) for key, kept in zip(keys, remembered, strict=True) if kept is not None)
        missing = [key for key in dict.fromkeys(keys) if key not in self._found]
        if self._call.directives.is_only_if_cached:
            self._recall(missing)
            if len(self._found) < len(set(keys)):
                raise NotCached(self._call.ref.name)
        else:
            self._rows = dict(zip(keys, self._call.rows, strict=True))
            self._fly(missing)
        return self._answer(keys)

    def renew(self, keys: Sequence[bytes]) -> CacheAnswer:
        """Ask for all rows anew, and keep the answers."""
        self._rows = dict(zip(keys, self._call.rows, strict=True))
        self._ask(list(self._rows))
        return self._answer(keys, CacheOutcome.BYPASS)

    def _fly(self, missing: Sequence[bytes], *, is_again: bool = False) -> None:
        """Get what is missing: lead where nobody else asks for it, then wait for those who do.

        Whoever leads lands all flights before it waits for others': no two can wait for each other.
        """
        followed = {key: flight for key in missing if (flight := self._flights.board(key)) is not None}
        led = [key for key in missing if key not in followed]
        try:
            self._recall(led)
            led = self._land_found(led)
            self._ask(led)
        finally:
            # Whatever ended the search, also a greenlet killed in it.
            for key in led:
                self._flights.land(key, self._found.get(key))
        if followed:
            self._follow(followed, is_again=is_again)

    def _land_found(self, led: Sequence[bytes]) -> list[bytes]:
        """End the flights of rows that were found, and return the keys of the others."""
        for key in led:
            if key in self._found:
                self._flights.land(key, self._found[key])
        return [key for key in led if key not in self._found]

    def _follow(self, followed: dict[bytes, Flight], *, is_again: bool) -> None:
        for key, flight in followed.items():
            if not flight.wait(max(0.0, self._call.deadline - self._tiers.clock.monotonic())):
                raise DeadlineExceeded(max(0.0, round(self._call.deadline - self._started, 2)))
            if flight.kept is not None and flight.kept.born_at >= self._oldest:
                self._found[key] = flight.kept
        rest = [key for key in followed if key not in self._found]
        if is_again:
            # Two leaders got nothing, or something too old for this caller: it asks for itself, and fails for itself.
            self._ask(rest)
            return

        self._metrics.flight.count(is_hit=not rest)
        # One of those who waited leads: if all asked at once, one caller's failure would be the model's flood. Who
        # wakes last may find that it has landed already.
        missing = [key for key in rest if not self._is_remembered(key)]
        if missing:
            self._fly(missing, is_again=True)

    def _is_remembered(self, key: bytes) -> bool:
        """Say whether this process knows a row by now, and take it."""
        kept = self._tiers.local.get(key, self._tiers.clock.monotonic(), oldest=self._oldest)
        if kept is not None:
            self._found[key] = kept
        return kept is not None

    def _recall(self, keys: Sequence[bytes]) -> None:
        if keys:
            found = self._tiers.recall(self._call, keys, oldest=self._oldest)
            self._metrics.shared.count(is_hit=len(found) == len(keys))
            self._found.update(found)

    def _ask(self, keys: Sequence[bytes]) -> None:
        if not keys:
            return

        answer = self._ask_model([self._rows[key] for key in keys])
        self._answers.append(answer)
        for key, row in zip(keys, answer.rows, strict=True):
            if isinstance(row, RowFailure):
                self._failed[key] = row
            else:
                self._found[key] = self._tiers.keep(self._call, key, row)

    def _answer(self, keys: Sequence[bytes], outcome: CacheOutcome = CacheOutcome.MISS) -> CacheAnswer:
        rows = [self._row(number, key) for number, key in enumerate(keys)]
        if self._answers:
            queue_s = max(answer.queue_s for answer in self._answers)
            return CacheAnswer(rows, outcome, 0.0, queue_s, max(answer.compute_s for answer in self._answers))

        now = self._tiers.clock.monotonic()
        age_s = max(0.0, now - min((kept.born_at for kept in self._found.values()), default=now))
        self._metrics.age(age_s)
        return CacheAnswer(rows, CacheOutcome.HIT, age_s)

    def _row(self, number: int, key: bytes) -> bytes | memoryview | RowFailure:
        failed = self._failed.get(key)
        if failed is not None:
            return RowFailure(row=number, code=failed.code, detail=failed.detail)

        return self._found[key].frame
