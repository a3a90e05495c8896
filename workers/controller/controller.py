"""The reconcile loop: watch the runners, compare with what is desired, act, publish the directory."""

import logging
import os
import time

import zmq

from app.errors import NotFoundError, StoreError
from app.inference.directory import DirectorySnapshot, RunnerRecord
from app.inference.directory_publisher import DirectoryPublisher
from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from workers.bootstrap import WorkerParts
from workers.controller import forkserver
from workers.controller.desired import DesiredVersions
from workers.controller.fleet import Fleet
from workers.controller.folders import VersionFolders
from workers.controller.reconcile import SERVING, Limits, plan
from workers.controller.restarts import Restarts
from workers.controller.wake import WakeBell
from workers.controller.watched_runner import HOST, EndedRunner

logger = logging.getLogger(__name__)

# How often runners are asked that are loading or draining: what they become next is waited for.
HURRY_S = 0.05
WEIGH_EVERY_S = 5.0


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
        )
        self._heartbeat_s = settings.heartbeat_s
        self._bell = WakeBell()
        self._fleet = Fleet(settings)
        self._restarts = Restarts()
        self._folders = VersionFolders(parts.store, slots=slots, on_ready=self._bell.ring)
        self._desired = DesiredVersions(
            parts.releases,
            parts.redis,
            every_s=settings.heartbeat_s,
            wanted_s=settings.runner_idle_s,
            on_change=self._bell.ring,
        )
        self._publisher = DirectoryPublisher(parts.redis)
        self._published: list[RunnerRecord] = []
        self._published_at = self._weighed_at = -WEIGH_EVERY_S
        self._is_stopping = False

    def run(self) -> None:
        """Adopt what runs, then keep it in order until `stop`; then drain all runners and return."""
        forkserver.warm_up()
        self._bell.ring_on_signals()
        self._fleet.adopt()
        self._desired.start()
        while not self._is_stopping:
            self._tick()
            self._act()
            self._wait()
        self._shut_down()

    def stop(self) -> None:
        """Make `run` end. May be called from a signal handler or another thread."""
        self._is_stopping = True
        self._bell.ring()

    def _tick(self) -> None:
        """Notice what has happened, and let everyone know."""
        self._hear()
        is_due = time.monotonic() - self._published_at >= self._heartbeat_s
        self._fleet.ask(only_changing=not is_due)
        if time.monotonic() - self._weighed_at >= WEIGH_EVERY_S:
            self._fleet.weigh()
            self._weighed_at = time.monotonic()
        self._publish(is_due=is_due)
        self._fleet.end_drained()
        if is_due:
            # One that was killed is replaced now: a runner that dies next would wait for its imports.
            forkserver.warm_up()

    def _act(self) -> None:
        if self._desired.has_died:
            raise RuntimeError("The thread that reads what is desired has ended.")

        desired = self._desired.versions
        if desired is None:
            return

        self._restarts.keep(set(desired))
        todo = plan(desired, self._fleet.view(), self._limits, may_start=self._restarts.may_start)
        for version in todo.start:
            self._start(version)
        self._fleet.drain(todo.drain)
        self._fleet.kill(todo.kill)

    def _start(self, version: DesiredVersion) -> None:
        try:
            folder = self._folders.take(version)
            if folder is not None:
                self._fleet.start(version, folder)
        except (StoreError, NotFoundError, OSError) as err:
            # OSError: a full disk or no more processes costs one start, not the watch over all others.
            reason = err.strerror or str(err) if isinstance(err, OSError) else err.detail
            self._restarts.note_end(version, reason, served_s=0.0)
            logger.error("a runner of %s cannot be started: %s", version.ref, reason)

    def _hear(self) -> None:
        for runner in self._fleet.hear():
            logger.info("the runner of %s is %s", runner.note.desired.ref, runner.state)
            runner.weigh()
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

        failure = self._restarts.note_end(ended.version, ended.reason, served_s=ended.served_s)
        wait_s = max(0.0, failure.retry_at - time.monotonic())
        logger.error("a runner of %s failed: %s; trying again in %.1f s", ended.version.ref, ended.reason, wait_s)

    def _publish(self, *, is_due: bool) -> None:
        """Publish at each heartbeat, and at once when a runner came, went or changed its state."""
        records = [*self._fleet.records(), *self._failed_records()]
        if not is_due and _outline(records) == _outline(self._published):
            return

        self._publisher.publish(
            DirectorySnapshot(published_at=time.time(), controller_pid=os.getpid(), runners=records)
        )
        self._published = records
        self._published_at = time.monotonic()

    def _failed_records(self) -> list[RunnerRecord]:
        """Tell of the desired versions that have no runner because the last one failed."""
        serving = {runner.note.desired for runner in self._fleet if runner.state in SERVING}
        return [
            RunnerRecord(
                name=version.ref.name,
                version=version.ref.version,
                digest=version.digest,
                state=RunnerState.FAILED,
                address="",
                pid=0,
                host=HOST,
                reason=self._restarts.reason(version),
            )
            for version in self._desired.versions or ()
            if version not in serving and not self._restarts.may_start(version)
        ]

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
        self._folders.close()
        self._fleet.close()
        self._bell.close()


def _outline(records: list[RunnerRecord]) -> list[tuple[str, RunnerState, str]]:
    return [(record.address, record.state, record.reason) for record in records]
