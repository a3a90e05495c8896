"""Events in any order become ratings in time's order, one of each pair of user and item."""

import numpy as np

from tests.factories.ratings import ratings_of


def test_ids_become_rows_and_columns_in_the_order_of_time() -> None:
    ratings = ratings_of((70, 5, 3.0), (-2, 900, 1.0), (70, 900, 2.0))

    assert ratings.user_ids.tolist() == [-2, 70]
    assert ratings.item_ids.tolist() == [5, 900]
    assert ratings.users.tolist() == [0, 1, 1]
    assert ratings.items.tolist() == [1, 1, 0]
    assert ratings.ages_days().tolist() == [2.0, 1.0, 0.0]


def test_of_a_users_ratings_of_an_item_the_first_counts() -> None:
    ratings = ratings_of((1, 1, 9.0), (1, 2, 5.0), (1, 1, 4.0))

    assert ratings.items.tolist() == [0, 1]
    assert ratings.ages_days().tolist() == [1.0, 0.0]


def test_a_cut_leaves_ratings_of_one_second_together() -> None:
    ratings = ratings_of(*((user, 1, day) for user, day in enumerate([1, 2, 2, 2, 3])))

    assert [ratings.cut(share) for share in (0.0, 0.4, 0.6, 0.8, 1.0)] == [0, 1, 1, 4, 5]


def test_a_part_counts_in_the_rows_of_the_whole() -> None:
    part = ratings_of((1, 1, 1.0), (2, 3, 2.0), (3, 2, 3.0)).part(1, 3)
    matrix = part.matrix(np.array([0.5, 0.25]))

    assert matrix.toarray().tolist() == [[0, 0, 0], [0, 0, 0.5], [0, 0.25, 0]]
