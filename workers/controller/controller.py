"""The reconcile loop: watch the runners, compare with what is desired, act, publish the directory."""

import logging
import os
import time
from collections.abc import Callable
from functools import cache

import zmq

from app.errors import NotFoundError, StoreError
from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from workers.bootstrap import WorkerParts
from workers.controller import forkserver
from workers.controller.desired import DesiredVersions
from workers.controller.fleet import Fleet
from workers.controller.folders import VersionFolders
from workers.controller.ledger import Ledger
from workers.controller.metrics import EVICTIONS, FAILURES, LOAD_SECONDS, STARTS, ControllerMetrics, labels
from workers.controller.notices import Notices, failed_records, held_back
from workers.controller.reconcile import Plan, plan
from workers.controller.restarts import Restarts
from workers.controller.situation import Limits, Prospect, Situation
from workers.controller.wake import WakeBell
from workers.controller.watched_runner import EndedRunner
from workers.controller.wishes import Wishes

logger = logging.getLogger(__name__)

# How often runners are asked that are loading or draining: what they become next is waited for.
HURRY_S = 0.05


class Controller:
    """Runs what SQL names and callers want. One per machine, one thread: `run` returns after `stop`."""

    def __init__(self, parts: WorkerParts) -> None:
        settings = parts.settings
        slots = len(os.sched_getaffinity(0))
        self._limits = Limits(
            load_slots=slots,
            idle_s=settings.runner_idle_s,
            silence_s=settings.runner_silence_s,
            drain_s=settings.drain_s,
            load_s=settings.load_timeout_s,
            budget_bytes=settings.memory_budget,
        )
        self._heartbeat_s = settings.heartbeat_s
        self._bell = WakeBell()
        self._fleet = Fleet(settings)
        self._restarts = Restarts()
        self._ledger = Ledger(patience_s=settings.request_timeout_s)
        self._plan = Plan()
        self._folders = VersionFolders(parts.store, slots=slots, on_ready=self._bell.ring)
        self._desired = DesiredVersions(
            parts.releases,
            parts.redis,
            every_s=settings.heartbeat_s,
            wanted_s=settings.runner_idle_s,
            on_change=self._bell.ring,
        )
        self._notices = Notices(parts.redis, heartbeat_s=settings.heartbeat_s)
        self._metrics = ControllerMetrics(budget_bytes=settings.memory_budget)
        self._is_stopping = False
        self._has_successor = False

    def run(self) -> None:
        """Adopt what runs, keep it in order until `stop`, then drain all runners; or leave them, after `hand_over`."""
        forkserver.warm_up()
        self._bell.ring_on_signals()
        self._fleet.adopt()
        self._desired.start()
        while not self._is_stopping:
            self._tick()
            self._act()
            self._wait()
        if self._has_successor:
            self._leave_runners()
        else:
            self._shut_down()

    def stop(self) -> None:
        """Make `run` end. May be called from a signal handler or another thread."""
        self._is_stopping = True
        self._bell.ring()

    def hand_over(self) -> None:
        """Make `run` end and leave all runners to the next controller, which replaces them; called like `stop`."""
        self._has_successor = True
        self.stop()

    def _tick(self) -> None:
        """Notice what has happened, and let everyone know."""
        self._hear()
        is_due = self._notices.is_due
        self._fleet.ask(only_changing=not is_due)
        if is_due:
            self._fleet.weigh_some()
        self._publish(is_due=is_due)
        self._fleet.end_drained()
        if is_due:
            self._metrics.show(self._fleet.view())
            # One that was killed is replaced now: a runner that dies next would wait for its imports.
            forkserver.warm_up()

    def _act(self) -> None:
        if self._desired.has_died:
            raise RuntimeError("The thread that reads what is desired has ended.")

        wishes = self._desired.wishes
        if wishes is None:
            return

        self._restarts.keep(set(wishes.versions))
        runners = self._fleet.view()
        self._ledger.note_runners(runners)
        self._ledger.note_wishes(wishes)
        self._plan = plan(
            Situation(wishes=wishes, runners=runners, limits=self._limits, prospect=self._prospects(wishes))
        )
        for version in self._plan.start:
            self._start(version)
        for version in self._plan.evicted:
            EVICTIONS.labels(*labels(version.ref)).inc()
        self._ledger.note_evicted(self._plan.evicted)
        self._fleet.drain(self._plan.drain)
        self._fleet.kill(self._plan.kill)

    def _prospects(self, wishes: Wishes) -> Callable[[DesiredVersion], Prospect]:
        @cache
        def prospect(version: DesiredVersion) -> Prospect:
            return self._ledger.prospect(version, wishes, may_start=self._restarts.may_start(version))

        return prospect

    def _start(self, version: DesiredVersion) -> None:
        try:
            folder = self._folders.take(version)
            if folder is not None:
                self._fleet.start(version, folder)
                STARTS.labels(*labels(version.ref)).inc()
        except (StoreError, NotFoundError, OSError) as err:
            # OSError: a full disk or no more processes costs one start, not the watch over all others.
            reason = err.strerror or str(err) if isinstance(err, OSError) else err.detail
            self._restarts.note_end(version, reason, served_s=0.0)
            FAILURES.labels(*labels(version.ref)).inc()
            logger.error("a runner of %s cannot be started: %s", version.ref, reason)

    def _hear(self) -> None:
        for runner in self._fleet.hear():
            logger.info("the runner of %s is %s", runner.note.desired.ref, runner.state)
            if runner.state is RunnerState.READY:
                LOAD_SECONDS.labels(*labels(runner.note.desired.ref)).observe(runner.loaded_s)
            if runner.state is RunnerState.FAILED:
                # It would stay a while to say why; that is known now.
                self._note_end(runner.ended(runner.reason))
                runner.drain()

    def _wait(self) -> None:
        """Sleep until a runner ends or speaks, the bell rings, or it is time to ask again."""
        poller = zmq.Poller()
        poller.register(self._bell.fileno(), zmq.POLLIN)
        for runner in self._fleet:
            poller.register(runner.process.fileno(), zmq.POLLIN)
            poller.register(runner.contact.socket, zmq.POLLIN)
        events = dict(poller.poll(int(self._patience_s() * 1000)))
        self._bell.silence()
        for ended in self._fleet.reap({fd for fd in events if isinstance(fd, int)}):
            self._note_end(ended)

    def _patience_s(self) -> float:
        is_changing = any(runner.state is not RunnerState.READY for runner in self._fleet)
        return HURRY_S if is_changing else self._heartbeat_s

    def _note_end(self, ended: EndedRunner) -> None:
        if ended.was_told:
            logger.info("the runner of %s has drained", ended.version.ref)
            return

        if not ended.served_s:
            self._folders.suspect(ended.version)
        FAILURES.labels(*labels(ended.version.ref)).inc()
        failure = self._restarts.note_end(ended.version, ended.reason, served_s=ended.served_s)
        wait_s = max(0.0, failure.retry_at - time.monotonic())
        logger.error("a runner of %s failed: %s; trying again in %.1f s", ended.version.ref, ended.reason, wait_s)

    def _publish(self, *, is_due: bool) -> None:
        wishes = self._desired.wishes or Wishes()
        records = self._fleet.records()
        records += failed_records(wishes, self._plan, records, self._restarts)
        self._notices.publish(records, held_back(wishes, self._plan, records, self._ledger), is_due=is_due)

    def _shut_down(self) -> None:
        """Drain everything, however long `drain_s` allows, and kill what is left."""
        self._desired.stop()
        self._fleet.drain_all()
        deadline = time.monotonic() + self._limits.drain_s
        while len(self._fleet) and time.monotonic() < deadline:
            self._tick()
            self._wait()
        self._fleet.kill([runner.note.address for runner in self._fleet])
        self._publish(is_due=True)
        self._close()

    def _leave_runners(self) -> None:
        self._desired.stop()
        self._fleet.mark_outdated()
        logger.info("leaving %d runners to the next controller", len(self._fleet))
        self._close()

    def _close(self) -> None:
        self._folders.close()
        self._fleet.close()
        self._bell.close()
