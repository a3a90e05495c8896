"""Tests of the simulated pen."""

import pytest
import torch
from torch import Generator

from workers.training.digits_forms import FORMS, read_form
from workers.training.digits_strokes import FIELD_SIDE, draw_fields, form_path


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


@pytest.mark.parametrize("digit", range(10))
def test_every_form_is_cut_into_the_same_number_of_segments(digit: int) -> None:
    assert {form_path(form).shape for form in FORMS[digit]} == {(36, 2, 2)}


def test_a_path_begins_and_ends_where_its_stroke_does() -> None:
    path = form_path(read_form("10,20 50,60 90,20"))

    torch.testing.assert_close(path[0, 0], torch.tensor([0.1, 0.2]))
    torch.testing.assert_close(path[-1, 1], torch.tensor([0.9, 0.2]))
    torch.testing.assert_close(path[1:, 0], path[:-1, 1])


def test_a_doubled_point_is_a_sharp_corner() -> None:
    straight = form_path(read_form("0,0 80,0 80,0 80,100")).flatten(0, 1)

    on_bar, on_stem = straight[:, 1].abs() < 1e-6, (straight[:, 0] - 0.8).abs() < 1e-6
    assert bool((on_bar | on_stem).all())


def test_a_lifted_pen_leaves_no_line() -> None:
    path = form_path(read_form("0,0 100,0 | 0,100 100,100"))

    assert bool((path[:, 0, 1] == path[:, 1, 1]).all())


def test_fields_peak_on_the_path_and_end_before_the_edge() -> None:
    fields = draw_fields(torch.arange(10), seeded())

    assert fields.shape == (10, 1, FIELD_SIDE, FIELD_SIDE)
    assert float(fields.amax(dim=(1, 2, 3)).min()) > 0.9
    assert float(fields.min()) == 0.0


def test_the_seed_decides_the_hand() -> None:
    digits = torch.tensor([3, 3])
    first, second = draw_fields(digits, seeded(1)), draw_fields(digits, seeded(1))

    assert torch.equal(first, second)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, draw_fields(digits, seeded(2)))
