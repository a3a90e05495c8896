"""Ids are found where they stand, whatever their order; unknown ones are not."""

import numpy as np

from workers.runner.pipelines.ranking_ids import IdLookup

LARGEST = 2**63 - 1


def test_each_id_is_found_at_its_place() -> None:
    ids = np.random.default_rng(0).permutation(1000).astype(np.int64) * 3 - 1500
    lookup = IdLookup(ids)

    assert [lookup.place(int(one)) for one in ids] == list(range(1000))
    assert [lookup.id_at(place) for place in (0, 1, 999)] == ids[[0, 1, 999]].tolist()
    assert len(lookup) == 1000


def test_unknown_ids_are_not_found() -> None:
    lookup = IdLookup(np.array([5, LARGEST, -7], np.int64))

    assert [lookup.place(one) for one in (-8, 0, 6, LARGEST - 1, -(2**63))] == [None] * 5


def test_several_are_found_at_once_and_unknown_ones_left_out() -> None:
    lookup = IdLookup(np.array([5, LARGEST, -7], np.int64))

    assert lookup.places([-8, -7, 5, 6, LARGEST]).tolist() == [2, 0, 1]
    assert lookup.places([]).tolist() == []


def test_nobody_is_known_to_an_empty_one() -> None:
    lookup = IdLookup(np.array([], np.int64))

    assert (lookup.place(1), lookup.places([1, 2]).tolist()) == (None, [])
