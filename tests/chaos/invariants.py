"""What must hold of a whole run, read out of its journal."""

from collections.abc import Iterable, Iterator

from tests.chaos.journal import Failure, Journal, Silence, Struck, Violation

# What was on its way when the last part came back may still fail.
GRACE_S = 3.0
# A machine that has just lost a part has more to do than time for it: so much any blow excuses.
OVERLOAD = frozenset({"queue_full", "share_exceeded", "deadline_exceeded", "rate_limited"})

# Of these callers someone asks at any time. Others wait for something else in between.
ALWAYS_ASKING = frozenset({"image", "recommendation", "tensor", "payment", "socket of payments", "socket of texts"})
# So long they may be without an answer though nothing happens to anybody: there is one core, or two, for everything.
CALM_S = 10.0


def unexplained(failures: Iterable[Failure], struck: Iterable[Struck]) -> Iterator[Violation]:
    """Find failures that no blow at that time excuses."""
    blows = list(struck)
    for failure in failures:
        if not any(_explains(blow, failure) for blow in blows):
            what = f"{failure.kind} failed with {failure.symptom}: {failure.what}"
            yield Violation(rule="explained", at_s=failure.began_s, what=what)


def too_silent(silences: Iterable[Silence], struck: Iterable[Struck], *, patience: float = 1.0) -> Iterator[Violation]:
    """Find times without a good answer to a kind of caller that always asks, longer than the blows in it allow.

    :param patience: how much longer than the blows say, for machines that are slower than that.
    """
    blows = list(struck)
    for silence in silences:
        if silence.kind in ALWAYS_ASKING:
            met = [blow for blow in blows if meets(blow, silence)]
            allowed_s = patience * (CALM_S + sum(blow.silence_s for blow in met))
            if silence.length_s > allowed_s:
                what = f"no {silence.kind} was answered for {silence.length_s:.1f} s, {allowed_s:g} s are allowed"
                yield Violation(rule="soon", at_s=silence.began_s, what=what)


def meets(blow: Struck, silence: Silence) -> bool:
    """Say whether a blow may be the reason for a silence, or one of them."""
    return blow.at_s <= silence.ended_s and blow.back_s + GRACE_S >= silence.began_s


def unanswered(journal: Journal) -> Iterator[Violation]:
    """Find what was asked and never answered."""
    for what in journal.unanswered():
        yield Violation(rule="answered", at_s=journal.now_s(), what=what)


def _explains(blow: Struck, failure: Failure) -> bool:
    is_of_its_time = failure.ended_s >= blow.at_s and failure.began_s <= blow.back_s + GRACE_S
    return is_of_its_time and failure.symptom in blow.excuses | OVERLOAD
