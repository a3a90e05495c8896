"""Tests of the forms of digits."""

import pytest

from workers.training.digits_forms import FORMS, read_form


def test_a_form_is_read_into_strokes_of_points() -> None:
    assert read_form("50,0 20,100 | 5,10 95,10") == (((0.5, 0.0), (0.2, 1.0)), ((0.05, 0.1), (0.95, 0.1)))


def test_every_digit_has_several_forms() -> None:
    assert sorted(FORMS) == list(range(10))
    assert all(len(set(forms)) >= 3 for forms in FORMS.values())


@pytest.mark.parametrize("digit", range(10))
def test_forms_fill_the_height_and_stay_in_their_box(digit: int) -> None:
    for form in FORMS[digit]:
        points = [point for stroke in form for point in stroke]
        heights = [y for _, y in points]
        assert min(heights) < 0.1
        assert max(heights) > 0.9
        assert all(0.0 <= x <= 1.0 and 0.0 <= y <= 1.0 for x, y in points)
