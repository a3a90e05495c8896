"""The recommender's TorchScript code: rows of users in, a score per item out."""

import torch
from torch import Tensor, nn


class RankingModel(nn.Module):
    """Rows of users [N] to scores [N, items]: taste · trend + popularity, and -inf for what a user took already.

    A row that is none of a user's scores by popularity alone; `cold_row` is the first of them.
    """

    def __init__(self, *, tastes: Tensor, trends: Tensor, popularity: Tensor, seen: tuple[Tensor, Tensor]) -> None:
        """Take tastes [users, r], trends [r, items], popularity [items], and what each user has seen.

        `seen` is a pair: where each user's items begin [users + 1], and the items of all users in turn.
        """
        super().__init__()
        starts, items = seen
        self.cold_row = len(tastes)
        # The row of those who are not known: no taste, nothing seen.
        self.register_buffer("tastes", torch.cat([tastes, tastes.new_zeros(1, tastes.shape[1])]))
        self.register_buffer("starts", torch.cat([starts, starts[-1:]]).to(torch.int32))
        self.register_buffer("trends", trends.contiguous())
        self.register_buffer("popularity", popularity)
        self.register_buffer("seen", items.to(torch.int32))

    tastes: Tensor
    starts: Tensor
    trends: Tensor
    popularity: Tensor
    seen: Tensor

    def forward(self, user: Tensor) -> Tensor:
        """Score all items for each row."""
        is_known = (user >= 0) & (user < self.cold_row)
        rows = torch.where(is_known, user, self.cold_row)
        scores = torch.addmm(self.popularity, self.tastes[rows], self.trends)
        starts = self.starts[rows].long()
        counts = self.starts[rows + 1].long() - starts
        # Places in `seen` of all rows in turn: each row's first, less what the rows before it took, plus a counter.
        shifts = torch.repeat_interleave(starts - (counts.cumsum(0) - counts), counts)
        taken = self.seen[shifts + torch.arange(shifts.shape[0])].long()
        offsets = torch.repeat_interleave(torch.arange(rows.shape[0]) * scores.shape[1], counts)
        return scores.view(-1).index_fill_(0, offsets + taken, float("-inf")).view_as(scores)
