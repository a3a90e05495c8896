"""What the controller tells everyone: runners, versions that failed, versions held back, in one snapshot."""

import os
import time
from collections.abc import Sequence

import redis

from app.inference.directory import DirectorySnapshot, HeldBack, RunnerRecord
from app.inference.directory_publisher import DirectoryPublisher
from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from workers.controller.ledger import Ledger
from workers.controller.reconcile import Plan
from workers.controller.restarts import Restarts
from workers.controller.situation import SERVING
from workers.controller.watched_runner import HOST
from workers.controller.wishes import Wishes

UNLOADED = "It was unloaded, and answers again once it is loaded."
FEWER = "The memory budget has no room for all of its instances; unless it is pinned, only the first one makes room."
GAVE_WAY = "It gave its memory to versions that were used more lately; a call loads it again."


class Notices:
    """Publishes the directory: at each heartbeat, and at once when its outline changes."""

    def __init__(self, client: redis.Redis, *, heartbeat_s: float) -> None:
        self._publisher = DirectoryPublisher(client)
        self._heartbeat_s = heartbeat_s
        self._published: DirectorySnapshot | None = None
        self._published_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the next heartbeat is due."""
        return self._published is None or time.monotonic() - self._published_at >= self._heartbeat_s

    def publish(
        self, runners: Sequence[RunnerRecord], held_back: Sequence[HeldBack] = (), *, is_due: bool = False
    ) -> None:
        """Publish a snapshot if it is due, or tells of another runner, state or reason than the last one."""
        snapshot = DirectorySnapshot(
            published_at=time.time(), controller_pid=os.getpid(), runners=list(runners), held_back=list(held_back)
        )
        if is_due or self._published is None or _outline(snapshot) != _outline(self._published):
            self._publisher.publish(snapshot)
            self._published = snapshot
            self._published_at = time.monotonic()


def failed_records(
    wishes: Wishes, plan: Plan, runners: Sequence[RunnerRecord], restarts: Restarts
) -> list[RunnerRecord]:
    """Tell of the desired versions without a runner because the last one failed, or because they never fit."""
    absent = _without(wishes.versions, runners, *SERVING)
    reasons = {version: restarts.reason(version) for version in absent if not restarts.may_start(version)}
    reasons |= {version: plan.oversized[version] for version in absent if version in plan.oversized}
    return [_failed(version, reason) for version, reason in reasons.items()]


def held_back(wishes: Wishes, plan: Plan, runners: Sequence[RunnerRecord], ledger: Ledger) -> list[HeldBack]:
    """Tell of the versions that do not run because somebody unloaded them, or for want of memory."""
    failed = {(record.name, record.version) for record in runners if record.state is RunnerState.FAILED}
    notices = [HeldBack(name=ref.name, version=ref.version, reason=UNLOADED) for ref in sorted(wishes.unloaded)]
    absent = _without(wishes.versions, runners, RunnerState.READY)
    for version in wishes.versions:
        if version in absent:
            reason = plan.held_back.get(version) or (GAVE_WAY if ledger.has_given_way(version) else "")
        else:
            reason = FEWER if version in plan.held_back else ""
        if reason and (version.ref.name, version.ref.version) not in failed:
            notices.append(HeldBack(name=version.ref.name, version=version.ref.version, reason=reason))
    return notices


def _without(
    versions: Sequence[DesiredVersion], runners: Sequence[RunnerRecord], *states: RunnerState
) -> list[DesiredVersion]:
    there = {(record.name, record.version, record.digest) for record in runners if record.state in states}
    return [each for each in versions if (each.ref.name, each.ref.version, each.digest) not in there]


def _failed(version: DesiredVersion, reason: str) -> RunnerRecord:
    return RunnerRecord(
        name=version.ref.name,
        version=version.ref.version,
        digest=version.digest,
        state=RunnerState.FAILED,
        address="",
        pid=0,
        host=HOST,
        reason=reason,
    )


def _outline(snapshot: DirectorySnapshot) -> tuple[list[tuple[str, RunnerState, str]], list[HeldBack]]:
    return [(record.address, record.state, record.reason) for record in snapshot.runners], snapshot.held_back
