"""Made-up film titles that can be told apart: no two of a simulation are the same, and none is copied."""

import itertools

import numpy as np

_QUALITIES = (
    "Silent", "Crimson", "Hollow", "Distant", "Broken", "Golden", "Restless", "Painted", "Frozen", "Borrowed", "Gentle",
    "Hidden", "Burning", "Paper", "Velvet", "Second", "Wandering", "Iron", "Drowned", "Patient", "Northern",
    "Sleepless", "Amber", "Careless", "Winter", "Lonely", "Electric", "Forgotten", "Stolen", "Early", "Salt",
    "Unwritten",
)  # fmt: skip
_THINGS = (
    "Harbour", "Orchard", "Signal", "Lighthouse", "Letter", "Machine", "Garden", "Station", "Mirror", "River",
    "Kingdom", "Summer", "Passenger", "Archive", "Bridge", "Comet", "Witness", "Island", "Violin", "Engine",
    "Cathedral", "Frontier", "Waltz", "Detective", "Horizon", "Carnival", "Compass", "Staircase", "Falcon", "Avenue",
    "Promise", "Cartographer",
)  # fmt: skip
_PLACES = (
    "", "of Glass", "at Midnight", "in the North", "of Dust", "Beyond the Wall", "on Fire", "of Two Cities", "in Exile",
    "Under Water", "Without a Name",
)  # fmt: skip


def make_titles(count: int, rng: np.random.Generator) -> list[str]:
    """Return that many titles, each with a year; there are about eleven thousand.

    :raises ValueError: when more are wanted than there are.
    """
    combinations = [" ".join(filter(None, words)) for words in itertools.product(_QUALITIES, _THINGS, _PLACES)]
    if count > len(combinations):
        raise ValueError(f"There are {len(combinations)} titles, not {count}.")

    chosen = rng.choice(len(combinations), count, replace=False)
    years = rng.integers(1960, 2026, count)
    return [f"The {combinations[at]} ({year})" for at, year in zip(chosen.tolist(), years.tolist(), strict=True)]
