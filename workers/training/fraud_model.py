"""The fraud model's TorchScript code: a gated recurrent unit per account, and what each group of features did.

Cho et al., 2014, in the form that torch.nn.GRU computes. What the features of a payment add to the gates and to the
score is a sum over the features; so the score without a group of them, that is with its usual values, costs as much as
the last, small steps of the network, and all groups are tried with each payment.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from app.scenarios.fraud_features import MERCHANT_RISK
from workers.training.fraud_features import COLUMNS

MEMORY = 32
JUDGE = 32

# What reasons are called, and how the features of each begin; each feature is in the first group that fits.
GROUPS = {
    "merchant_risk": ("merchant_risk",),
    "amount_history": ("amount_", "events_before"),
    "amount": ("amount",),
    "frequency": ("since_last", "count_"),
    "spending": ("sum_", "mean_"),
    "merchants": ("is_new_merchant", "merchants_"),
    "countries": ("is_new_country", "countries_"),
    "time_of_day": ("hour_", "is_weekend"),
    "channel": ("is_",),
}
# What is wide is taken by its logarithm; of shares, first times this.
_RISK_GAIN = 100.0
_NOT_WIDE = ("amount_deviations", "hour_", "is_")
# A feature this many times as far from the usual as others are says no more than that.
_FARTHEST = 6.0


class Scaling(nn.Module):
    """Features as they come to features of mean 0 and deviation 1."""

    def __init__(self, usual: Tensor) -> None:
        """Take payments [N, features] that are usual."""
        super().__init__()
        self.register_buffer("is_wide", torch.tensor([not name.startswith(_NOT_WIDE) for name in COLUMNS]))
        gain = torch.tensor([_RISK_GAIN if name == MERCHANT_RISK else 1.0 for name in COLUMNS])
        self.register_buffer("gain", gain)
        self.register_buffer("centre", torch.zeros(len(COLUMNS)))
        self.register_buffer("spread", torch.ones(len(COLUMNS)))
        self.farthest = _FARTHEST
        deviation, mean = torch.std_mean(self.levels(usual), dim=0)
        self.centre = mean
        # What never changes says nothing.
        self.spread = torch.where(deviation > 1e-6, deviation, torch.full_like(deviation, torch.inf))

    is_wide: Tensor
    gain: Tensor
    centre: Tensor
    spread: Tensor

    def forward(self, features: Tensor) -> Tensor:
        """Scale features, [..., features]."""
        return ((self.levels(features) - self.centre) / self.spread).clamp(-self.farthest, self.farthest)

    def levels(self, features: Tensor) -> Tensor:
        """Return features with the wide ones by their logarithm."""
        return torch.where(self.is_wide, torch.log1p((features * self.gain).clamp(min=0.0)), features)


class SequenceNet(nn.Module):
    """The network as it is trained: whole sequences of scaled payments to logits of fraud."""

    def __init__(self) -> None:
        super().__init__()
        self.recurrent = nn.GRU(len(COLUMNS), MEMORY, batch_first=True)
        self.from_features = nn.Linear(len(COLUMNS), JUDGE)
        self.from_memory = nn.Linear(MEMORY, JUDGE, bias=False)
        self.judge = nn.Linear(JUDGE, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits [accounts, steps] of payments [accounts, steps, features]."""
        memories, _ = self.recurrent(features)
        hidden = torch.relu(self.from_features(features) + self.from_memory(memories))
        logits: Tensor = self.judge(hidden).squeeze(-1)
        return logits


class FraudScorer(nn.Module):
    """The network as it serves: one payment of each account, and the memory of the payments before."""

    def __init__(self, scaling: Scaling, net: SequenceNet) -> None:
        super().__init__()
        recurrent = net.recurrent
        self.scaling = scaling
        # Gates and judge take the same features: one product for both, [features, 3 × memory + judge].
        weights = {name: weight.detach().clone() for name, weight in recurrent.named_parameters()}
        self.register_buffer("weight", torch.cat([weights["weight_ih_l0"], net.from_features.weight.detach()]))
        self.register_buffer("bias", torch.cat([weights["bias_ih_l0"], net.from_features.bias.detach()]))
        self.register_buffer("memory_weight", weights["weight_hh_l0"])
        self.register_buffer("memory_bias", weights["bias_hh_l0"])
        self.register_buffer("judge_memory", net.from_memory.weight.detach().clone())
        self.register_buffer("judge_weight", net.judge.weight.detach().clone())
        self.register_buffer("judge_bias", net.judge.bias.detach().clone())
        self.register_buffer("groups", _groups())
        self.memory = MEMORY

    weight: Tensor
    bias: Tensor
    memory_weight: Tensor
    memory_bias: Tensor
    judge_memory: Tensor
    judge_weight: Tensor
    judge_bias: Tensor
    groups: Tensor

    def forward(self, event: Tensor, memory: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the probability of fraud [N], what each group added to its logit [N, groups], and the new memory.

        `event` is [N, features], `memory` [N, memory].
        """
        features = self.scaling(event)
        whole = functional.linear(features, self.weight, self.bias).unsqueeze(1)
        parts = functional.linear(features.unsqueeze(1) * self.groups, self.weight)
        # Row 0 is the payment as it is; behind it stands the payment without each group.
        inputs = torch.cat([whole, whole - parts], dim=1)
        gates = inputs[:, :, : 3 * self.memory]
        kept = functional.linear(memory, self.memory_weight, self.memory_bias).unsqueeze(1)
        reset, update, new = gates.chunk(3, dim=2)
        kept_reset, kept_update, kept_new = kept.chunk(3, dim=2)
        update = torch.sigmoid(update + kept_update)
        new = torch.tanh(new + torch.sigmoid(reset + kept_reset) * kept_new)
        after = new + update * (memory.unsqueeze(1) - new)
        hidden = torch.relu(inputs[:, :, 3 * self.memory :] + functional.linear(after, self.judge_memory))
        logits = functional.linear(hidden, self.judge_weight, self.judge_bias).squeeze(2)
        return torch.sigmoid(logits[:, 0]), logits[:, :1] - logits[:, 1:], after[:, 0]


def _groups() -> Tensor:
    """Return which features are in each group, [groups, features], as 0 and 1."""
    homes = [next(group for group, beginnings in GROUPS.items() if name.startswith(beginnings)) for name in COLUMNS]
    return torch.tensor([[float(home == group) for home in homes] for group in GROUPS])
