"""The fraud model: step by step it says what was trained, and effects are what scores lose without a group."""

import pytest
import torch
from torch import Tensor

from app.scenarios.fraud_features import FEATURES
from workers.training.fraud_features import COLUMNS
from workers.training.fraud_model import GROUPS, MEMORY, FraudScorer, Scaling, SequenceNet

STEPS, ACCOUNTS = 7, 5


@pytest.fixture
def events() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(STEPS, ACCOUNTS, len(COLUMNS), generator=generator) * 50


@pytest.fixture
def net() -> SequenceNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SequenceNet().eval()


def test_steps_give_what_the_sequence_gives(events: Tensor, net: SequenceNet) -> None:
    scaling = Scaling(events.view(-1, len(COLUMNS)))
    scorer = torch.jit.script(FraudScorer(scaling, net).eval())
    memory = torch.zeros(ACCOUNTS, MEMORY)
    with torch.inference_mode():
        wanted = torch.sigmoid(net(scaling(events).transpose(0, 1)))
        for step, event in enumerate(events):
            score, _, memory = scorer(event, memory)
            torch.testing.assert_close(score, wanted[:, step])


def test_effects_are_what_a_score_loses_without_a_group(events: Tensor, net: SequenceNet) -> None:
    scaling = Scaling(events.view(-1, len(COLUMNS)))
    scorer = FraudScorer(scaling, net)
    memory = torch.rand(ACCOUNTS, MEMORY)
    score, effects, _ = scorer(events[0], memory)
    for place, beginnings in enumerate(GROUPS.values()):
        without = events[0].clone()
        members = [at for at, name in enumerate(COLUMNS) if scorer.groups[place, at]]
        usual = torch.where(scaling.is_wide, torch.expm1(scaling.centre) / scaling.gain, scaling.centre)
        without[:, members] = usual[members]
        other, _, _ = scorer(without, memory)

        assert all(COLUMNS[at].startswith(beginnings) for at in members)
        torch.testing.assert_close(effects[:, place], torch.logit(score) - torch.logit(other), atol=1e-3, rtol=1e-3)


def test_each_feature_is_in_one_group(events: Tensor, net: SequenceNet) -> None:
    groups = FraudScorer(Scaling(events.view(-1, len(COLUMNS))), net).groups

    assert groups.sum(dim=0).tolist() == [1.0] * len(COLUMNS)
    assert groups.sum(dim=1).min() > 0


def test_scaled_features_are_alike_and_bounded(events: Tensor) -> None:
    scaling = Scaling(events.view(-1, len(COLUMNS)))
    deviation, mean = torch.std_mean(scaling(events).view(-1, len(COLUMNS)), dim=0)

    torch.testing.assert_close(mean, torch.zeros_like(mean), atol=0.05, rtol=0)
    torch.testing.assert_close(deviation, torch.ones_like(deviation), atol=0.2, rtol=0)
    assert scaling(torch.full((1, len(COLUMNS)), 1e30)).abs().max() <= 6


def test_a_feature_that_never_changes_says_nothing() -> None:
    usual = torch.zeros(10, len(COLUMNS))
    usual[:, FEATURES.index("amount")] = torch.arange(10)
    scaled = Scaling(usual)(torch.full((1, len(COLUMNS)), 3.0))

    assert scaled.count_nonzero() == 1
