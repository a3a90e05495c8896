"""The cache of answers, as whoever predicts sees it: one call in, kept or fresh answers out."""

from operator import attrgetter

from app.errors import NotCached
from app.inference.cache import AskModel, CacheAnswer, CachedCall, CacheOutcome, CacheUse
from app.inference.cache_keys import CacheKeys
from app.inference.cache_metrics import metrics_of
from app.inference.cache_search import CacheSearch
from app.inference.cache_tiers import CacheTiers
from app.inference.single_flight import SingleFlight

_born_at = attrgetter("born_at")


class AnswerCache:
    """Answers calls from what is kept, and asks for the rest. One per process; greenlets of one hub share it.

    Who may ask what was decided before: whoever calls with the same model, version and rows gets the same answer.
    """

    def __init__(self, tiers: CacheTiers) -> None:
        self._tiers = tiers
        self._keys = CacheKeys()
        self._flights = SingleFlight()

    def answer(self, call: CachedCall, ask: AskModel) -> CacheAnswer:
        """Return an answer for each row; `ask` is called for those that are not kept.

        :raises NotCached: when the caller wants kept answers only, and not all are there.
        :raises DeadlineExceeded: when the answer would come too late.
        """
        if call.directives.use is not CacheUse.USE:
            return self._pass_by(call, ask)

        keys = self._keys.of(call)
        tiers = self._tiers
        now = tiers.clock.monotonic()
        oldest = now - min(call.ttl_s, call.directives.max_age_s)
        get = tiers.local.get
        remembered = [get(key, now, oldest=oldest) for key in keys]
        metrics = metrics_of(call.ref.name)
        if None in remembered:
            metrics.local.count(is_hit=False)
            return CacheSearch(tiers, self._flights, call, ask).find(keys, remembered)

        age_s = now - min(map(_born_at, remembered), default=now)
        metrics.local.hit()
        metrics.age(age_s)
        return CacheAnswer([kept.frame for kept in remembered if kept is not None], CacheOutcome.HIT, age_s)

    def close(self) -> None:
        """Write nothing to Redis any more."""
        self._tiers.shared.close()

    def _pass_by(self, call: CachedCall, ask: AskModel) -> CacheAnswer:
        if call.directives.is_only_if_cached:
            raise NotCached(call.ref.name)

        metrics_of(call.ref.name).bypass()
        if call.directives.use is CacheUse.BYPASS:
            return CacheSearch(self._tiers, self._flights, call, ask).renew(self._keys.of(call))

        answer = ask(call.rows)
        return CacheAnswer(answer.rows, CacheOutcome.BYPASS, 0.0, answer.queue_s, answer.compute_s)
