"""Training neither depends on what torch was set to, nor leaves it otherwise."""

import pytest
import torch

from workers.training.computing import alone


def test_numbers_are_those_of_the_seed() -> None:
    with alone(3):
        first = torch.rand(4)
    torch.rand(1)
    with alone(3):
        assert torch.equal(torch.rand(4), first)
        assert torch.get_num_threads() == 1


def test_torch_is_left_as_it_was() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with pytest.raises(RuntimeError), alone(3):
        torch.rand(1) @ torch.rand(2)

    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)
