"""Jobs that score payments: a model that tells how it found each account, and payments of many accounts in a file."""

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson
import torch
from torch import Tensor, nn

from model_store.model_ref import ModelRef
from model_store.reader import ModelStore
from tests.factories.models import publish_model
from tests.factories.payments import MEMBERS
from tests.factories.scoring import RISK_FILE, scoring_manifest

ACCOUNTS: Final = 12
# Each row that is a multiple of one of these is no payment at all; or from the day before, which is too late; or that
# of its account which was sent before.
BROKEN, LATE, TWICE = 41, 59, 31
_START: Final = datetime(2026, 1, 5, tzinfo=UTC)


class Ledger(nn.Module):
    """Tells how many payments of an account came before one, and how much the last was; takes some time for it."""

    def forward(self, event: Tensor, seen: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        ground = event.sum(dim=1, keepdim=True).expand(-1, 2048).contiguous()
        for _ in range(20):
            ground = torch.sin(ground)
        after = torch.stack([seen[:, 0] + 1.0, event[:, 1] + 0 * ground.mean(dim=1)], dim=1)
        return after, 0.25 + 0 * event[:, 0], seen.clone()


def publish_ledger(store: ModelStore, folder: Path, **changes: Any) -> ModelRef:
    """Publish Ledger as version 1 of `fraud`; each of its answers tells in its reasons what came before."""
    risk = folder / "risk.json"
    risk.write_bytes(RISK_FILE)
    manifest = scoring_manifest(scoring={"reasons": ["before", "last"]}, files={}, max_batch_size=8, **changes)
    return publish_model(
        store, folder, Ledger(), name="fraud", manifest=manifest, assets={risk.name: risk}, samples=None
    )


def payment_rows(count: int) -> bytes:
    """Return NDJSON of so many payments of ACCOUNTS accounts in turn, one a minute; a few are bad, or come twice."""
    return b"".join(map(_line, range(1, count + 1)))


def scored_alone(count: int) -> dict[int, dict[str, float]]:
    """Return what is told of each good row if all are scored one after the other: the reasons, by their names."""
    before, last = Counter[int](), dict[int, float]()
    told: dict[int, dict[str, float]] = {}
    for number in range(1, count + 1):
        source = _source(number)
        if _is_broken(source) or _is_late(source):
            continue
        if source == number:
            account = number % ACCOUNTS
            told[number] = {"before": before[account], "last": last[account]} if before[account] else {}
            before[account] += 1
            last[account] = _amount(number)
        else:
            told[number] = told[source]
    return told


def told_by(lines: Iterable[dict[str, Any]]) -> dict[int, dict[str, float]]:
    """Return the same of a job's results."""
    return {line["row"]: {reason["feature"]: reason["effect"] for reason in line["reasons"]} for line in lines}


def _line(number: int) -> bytes:
    source = _source(number)
    if _is_broken(source):
        return b'{"event":\n'

    late = timedelta(days=1) if _is_late(source) else timedelta()
    members = {
        **MEMBERS,
        "event_id": f"e{source}",
        "account_id": f"a{source % ACCOUNTS}",
        "amount": _amount(source),
        "occurred_at": _START + timedelta(minutes=source) - late,
    }
    return orjson.dumps({"event": members}) + b"\n"


def _source(number: int) -> int:
    """Return the row that a row is sent again from; most are their own."""
    return number - ACCOUNTS if number % TWICE == 0 and number > ACCOUNTS else number


def _is_broken(source: int) -> bool:
    return source % BROKEN == 0


def _is_late(source: int) -> bool:
    return source % LATE == 0


def _amount(source: int) -> float:
    return 1 + source / 4
