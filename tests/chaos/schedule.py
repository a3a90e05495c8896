"""Which blows fall when: the same seed deals the same ones."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

# How many fall together, dealt like the blows: sometimes one alone, so that it is seen what it does; mostly several,
# which is worse than each of them, and without which ten minutes are not enough for all.
AT_ONCE = (1, 3, 3, 3)
LONGEST_GAP_S = 2.0
SHORTEST_CALM_S, LONGEST_CALM_S = 1.5, 4.0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A blow: so long after the one before, and the seed of what is left to chance in it."""

    name: str
    after_s: float
    seed: int


@dataclass(frozen=True, kw_only=True)
class Round:
    """Blows that fall together, and for how long nothing happens once everything is back."""

    blows: tuple[Planned, ...]
    calm_s: float


def rounds(names: Sequence[str], seed: int) -> Iterator[Round]:
    """Deal rounds without end. Each blow has its turn before any has a third."""
    rng = random.Random(seed)
    deck, sizes = list[str](), list[int]()
    while True:
        dealt = list[str]()
        sizes = sizes or rng.sample(AT_ONCE, len(AT_ONCE))
        for _ in range(sizes.pop()):
            if not set(deck) - set(dealt):
                deck += rng.sample(names, len(names))
            dealt.append(next(name for name in deck if name not in dealt))
            deck.remove(dealt[-1])
        yield Round(
            blows=tuple(_planned(name, place, rng) for place, name in enumerate(dealt)),
            calm_s=rng.uniform(SHORTEST_CALM_S, LONGEST_CALM_S),
        )


def _planned(name: str, place: int, rng: random.Random) -> Planned:
    return Planned(name=name, after_s=rng.uniform(0, LONGEST_GAP_S) if place else 0.0, seed=rng.getrandbits(32))
