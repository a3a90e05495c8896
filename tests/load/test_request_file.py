"""The file of requests holds what was given, and draws are as uneven as they are said to be."""

import struct
from collections import Counter

from tests.load.request_file import request_file, zipf_draws

POPULATION, DRAWS = 1000, 50_000


def test_each_request_stands_behind_its_length() -> None:
    with request_file([b"abc", b"\x00" * 300]) as path:
        assert path.read_bytes() == struct.pack("<I", 3) + b"abc" + struct.pack("<I", 300) + b"\x00" * 300

    assert not path.exists()


def test_draws_follow_the_ranks() -> None:
    counts = [count for _, count in Counter(zipf_draws(POPULATION, DRAWS, seed=1)).most_common()]
    total = sum(1 / rank for rank in range(1, POPULATION + 1))

    for rank in (1, 2, 4, 16):
        expected = DRAWS / rank / total
        assert 0.8 * expected < counts[rank - 1] < 1.2 * expected


def test_draws_are_the_same_for_the_same_seed_only() -> None:
    assert zipf_draws(POPULATION, 100, seed=1) == zipf_draws(POPULATION, 100, seed=1)
    assert zipf_draws(POPULATION, 100, seed=1) != zipf_draws(POPULATION, 100, seed=2)


def test_popular_members_are_spread_over_the_population() -> None:
    draws = Counter(zipf_draws(POPULATION, DRAWS, seed=1))
    popular = [member for member, _ in draws.most_common(100)]

    assert set(draws) <= set(range(1, POPULATION + 1))
    assert 0.3 * POPULATION < sum(popular) / len(popular) < 0.7 * POPULATION
