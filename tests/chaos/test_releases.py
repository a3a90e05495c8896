"""An answer has to be of a version that was to answer just then, and by that version's rule."""

from tests.chaos.releases import LINGERS_S, Releases

ROW = [1.0, 2.0]


def releases() -> Releases:
    return Releases(moves=[(0.0, 1), (100.0, 2)])


def test_each_version_in_its_time() -> None:
    assert releases().allowed(50.0) == {1, 2}
    assert releases().allowed(100.0 + LINGERS_S + 1) == {2}
    assert releases().wrong_with(2, ROW, [3.0, 4.0], 200.0) == []


def test_a_version_that_was_left_answers_no_more() -> None:
    [wrong] = releases().wrong_with(1, ROW, [2.0, 3.0], 100.0 + LINGERS_S + 1)

    assert "answers no more" in wrong


def test_numbers_of_another_row_or_of_another_version() -> None:
    [row] = releases().wrong_with(2, ROW, [8.0, 9.0], 200.0)
    [version] = releases().wrong_with(2, ROW, [2.0, 3.0], 200.0)

    assert "made [8.0, 9.0]" in row
    assert "made [2.0, 3.0]" in version
