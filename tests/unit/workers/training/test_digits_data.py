"""Tests of scikit-learn's scans, split and made into fields."""

import torch

from workers.training.digits_data import load_scans, scan_fields
from workers.training.digits_strokes import FIELD_SIDE


def test_a_fifth_of_the_scans_is_held_out_and_none_is_in_both() -> None:
    training, held_out = load_scans(seed=0)

    assert (len(training), len(held_out)) == (1437, 360)
    seen = {picture.numpy().tobytes() for picture in training.pictures}
    assert not seen & {picture.numpy().tobytes() for picture in held_out.pictures}


def test_every_digit_is_held_out_in_equal_shares() -> None:
    training, held_out = load_scans(seed=3)

    counts = held_out.labels.bincount(minlength=10)
    fair = (training.labels.bincount(minlength=10) + counts) * 0.2
    assert float((counts - fair).abs().max()) <= 1.0


def test_the_seed_decides_the_split() -> None:
    first, again, other = (load_scans(seed)[1].labels for seed in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_fields_of_scans_keep_the_ink_in_place_with_a_margin_round_it() -> None:
    scan = torch.zeros(1, 1, 8, 8)
    scan[0, 0, :4] = 1.0
    field = scan_fields(scan)[0, 0]

    middle = FIELD_SIDE // 2
    assert field.shape == (FIELD_SIDE, FIELD_SIDE)
    assert float(field[middle - 8, middle]) > 0.9
    assert float(field[middle + 8, middle]) < 0.1
    assert float(field[:6].max()) == 0.0
