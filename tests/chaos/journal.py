"""What the callers and the blows have to tell, as it happened; what it means is said in invariants.py."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

ANSWERED = "answered"
# Shorter times without a good answer are not kept: also who is well is busy with something else now and then.
LONG_S = 2.0


@dataclass(frozen=True, kw_only=True)
class Violation:
    """An invariant that did not hold, and the evidence."""

    rule: str
    at_s: float
    what: str


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A try that got no good answer: when it began and ended, and the code that it was refused with, or what broke."""

    kind: str
    symptom: str
    began_s: float
    ended_s: float
    what: str = ""


@dataclass(frozen=True, kw_only=True)
class Silence:
    """A time in which no caller of a kind got a good answer."""

    kind: str
    began_s: float
    ended_s: float

    @property
    def length_s(self) -> float:
        """How long it was."""
        return self.ended_s - self.began_s


@dataclass(frozen=True, kw_only=True)
class Struck:
    """A blow that fell: whom it hit, what it excuses and for how long, and when everything was back."""

    name: str
    whom: str
    excuses: frozenset[str]
    at_s: float
    back_s: float = float("inf")
    silence_s: float = 0.0
    """For how long a kind of caller may go without a good answer because of it."""


@dataclass
class Journal:
    """The whole run; times are seconds since it began."""

    began: float = field(default_factory=time.monotonic)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By kind of work and what came of it: an answer, or a symptom for each try that had none."""
    failures: list[Failure] = field(default_factory=list)
    struck: list[Struck] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    possible: frozenset[str] = frozenset()
    """The blows that can fall on this machine."""
    silences: list[Silence] = field(default_factory=list)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    """By method and status, how often callers were answered so over HTTP; 0 is no answer."""
    figures: dict[str, str] = field(default_factory=dict)
    """What else was measured, by name."""
    checks: Counter[str] = field(default_factory=Counter)
    """By rule, how often it was looked whether it holds."""
    _last_good_s: dict[str, float] = field(default_factory=dict)
    _under_way: dict[str, Counter[str]] = field(default_factory=dict)

    def now_s(self) -> float:
        """Return for how long the run has lasted."""
        return time.monotonic() - self.began

    @contextmanager
    def work(self, kind: str, name: str) -> Iterator[None]:
        """Note that something was asked, and, if the block ends well, that it was answered."""
        names = self._under_way.setdefault(kind, Counter())
        names[name] += 1
        yield
        names[name] -= 1
        self.counts[kind, ANSWERED] += 1

    def begin(self, kinds: Iterable[str] = ()) -> None:
        """Count from now on: what was asked before is no part of the load. Callers of these kinds ask at once."""
        self.counts.clear()
        self.checks.clear()
        self.answers.clear()
        self._last_good_s = dict.fromkeys(kinds, self.now_s())

    def good(self, kind: str) -> None:
        """Note a good answer to a caller of that kind, and for how long there was none before it."""
        now_s = self.now_s()
        self._silent(kind, self._last_good_s.get(kind, now_s), now_s)
        self._last_good_s[kind] = now_s

    def close_silences(self) -> None:
        """Note for how long there was no good answer up to now, of each kind; from now on nobody need ask."""
        now_s = self.now_s()
        for kind, began_s in self._last_good_s.items():
            self._silent(kind, began_s, now_s)
        self._last_good_s.clear()

    def unanswered(self) -> list[str]:
        """Name what was asked and never answered."""
        return [f"{kind} {name}" for kind, names in self._under_way.items() for name in (+names).elements()]

    def failed(self, failure: Failure) -> None:
        """Note a try that has to be made again."""
        self.failures.append(failure)
        self.counts[failure.kind, failure.symptom] += 1

    def checked(self, rule: str, times: int = 1) -> None:
        """Note that it was looked whether an invariant holds."""
        self.checks[rule] += times

    def broken(self, rule: str, what: str) -> None:
        """Note that an invariant does not hold."""
        self.violations.append(Violation(rule=rule, at_s=self.now_s(), what=what))

    def strike(self, blow: Struck) -> None:
        """Note a blow that fell."""
        self.struck.append(blow)

    def all_back(self) -> None:
        """Note that all parts are back that were struck so far."""
        now_s = self.now_s()
        self.struck = [replace(blow, back_s=min(blow.back_s, now_s)) for blow in self.struck]

    def _silent(self, kind: str, began_s: float, ended_s: float) -> None:
        if ended_s - began_s > LONG_S:
            self.silences.append(Silence(kind=kind, began_s=began_s, ended_s=ended_s))
