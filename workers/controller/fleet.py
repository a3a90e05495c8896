"""All runners of this machine: started, adopted, listened to, and cleared away when they end."""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import zmq
from msgspec.structs import replace

from app.inference.directory import RunnerRecord
from app.inference.messages import RunnerState
from app.infra.metric_folding import fold_dead_process, fold_dead_processes
from app.services.catalog import DesiredVersion
from app.settings import Settings
from workers.controller.contact import RunnerContact
from workers.controller.runner_files import RunnerFiles, RunnerNote
from workers.controller.runner_process import RunnerProcess, read_start_ticks
from workers.controller.situation import RunnerView
from workers.controller.watched_runner import EndedRunner, WatchedRunner
from workers.runner.process import RunnerSpec

logger = logging.getLogger(__name__)

# How long a new controller waits for the runners it found to say how they are, before it publishes anything.
ADOPTION_S = 2.0
POLL_MS = 20
WEIGH_EVERY_S = 5.0
# So that fifty runners cost no more than a few of them.
WEIGHED_AT_ONCE = 4


class Fleet:
    """The runners that live. Used by one thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._files = RunnerFiles(settings.run_dir / "runners")
        self._metrics_dir = settings.metrics_dir / "runners"
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._runners: dict[str, WatchedRunner] = {}

    def __len__(self) -> int:
        return len(self._runners)

    def __iter__(self) -> Iterator[WatchedRunner]:
        return iter(self._runners.values())

    def start(self, version: DesiredVersion, folder: Path) -> None:
        """Start a runner of a version whose files are in `folder`.

        :raises OSError: when none could be started; nothing is left behind then.
        """
        note = RunnerNote(
            name=version.ref.name,
            version=version.ref.version,
            digest=version.digest,
            address=self._files.new_address(),
            started_at=time.time(),
        )
        self._files.write(note)
        try:
            process = RunnerProcess.start(self._spec(note, folder))
        except OSError:
            self._files.remove(note.address)
            raise

        self._watch(note, process, self._contact(note.address))
        logger.info("started a runner of %s, pid %d", version.ref, process.pid)

    def adopt(self) -> None:
        """Take over the runners an earlier controller left, and clear away what is left of dead ones.

        Blocks for ADOPTION_S at most, until each of them has said how it is.
        """
        contacts = {note.address: self._contact(note.address) for note in self._files.read()}
        deadline = time.monotonic() + ADOPTION_S
        for note in self._files.read():
            self._adopt(note, contacts[note.address], deadline)
        self._files.sweep(set(self._runners))
        # Of one that died before its pid was noted, nothing else tells.
        fold_dead_processes(self._metrics_dir)

    def view(self) -> list[RunnerView]:
        """Return what the plan looks at."""
        return [runner.view() for runner in self]

    def records(self) -> list[RunnerRecord]:
        """Return what the directory says of all runners."""
        return [runner.record() for runner in self]

    def ask(self, *, only_changing: bool) -> None:
        """Ask all runners how they are, or only those that are not READY."""
        for runner in self:
            if not (only_changing and runner.state is RunnerState.READY):
                runner.contact.ask()

    def hear(self) -> list[WatchedRunner]:
        """Read all answers that have arrived; return the runners whose state has changed, weighed."""
        changed = [runner for runner in self if runner.hear()]
        for runner in changed:
            runner.weigh()
        return changed

    def weigh_some(self) -> None:
        """Measure the memory of those that were not weighed for longest: the kernel takes milliseconds for each."""
        due = time.monotonic() - WEIGH_EVERY_S
        stale = sorted((runner for runner in self if runner.weighed_at <= due), key=lambda runner: runner.weighed_at)
        for runner in stale[:WEIGHED_AT_ONCE]:
            runner.weigh()

    def drain(self, addresses: Sequence[str]) -> None:
        """Tell runners to end once they have answered what they hold."""
        for address in addresses:
            runner = self._runners[address]
            logger.info("draining the runner of %s, pid %d", runner.note.desired.ref, runner.process.pid)
            runner.drain()

    def end_drained(self) -> None:
        """Tell the draining runners that callers have heard of to end."""
        for runner in self:
            runner.end_if_due()

    def mark_outdated(self) -> None:
        """Have the next controller replace all these runners, one after the other."""
        for runner in self:
            try:
                self._files.write(replace(runner.note, is_outdated=True))
            except OSError as err:
                logger.warning("the runner of %s stays as it is: %s", runner.note.desired.ref, err)

    def drain_all(self) -> None:
        """Tell all runners that are not told yet."""
        self.drain([runner.note.address for runner in self if not runner.is_draining])

    def kill(self, addresses: Sequence[str]) -> None:
        """End runners that do not answer."""
        for address in addresses:
            runner = self._runners[address]
            if runner.is_killed:
                continue
            logger.error("killing the hung runner of %s, pid %d", runner.note.desired.ref, runner.process.pid)
            runner.kill()

    def reap(self, ended: set[int]) -> list[EndedRunner]:
        """Clear away the runners whose descriptors are among `ended`."""
        return [self._clear(runner) for runner in list(self) if runner.process.fileno() in ended]

    def close(self) -> None:
        """Close all sockets. Runners that still live go on."""
        for runner in self:
            runner.contact.close()
        self._context.destroy(linger=0)

    def _watch(self, note: RunnerNote, process: RunnerProcess, contact: RunnerContact) -> WatchedRunner:
        known = replace(note, pid=process.pid, started_ticks=read_start_ticks(process.pid))
        runner = WatchedRunner(known, process, contact)
        self._share_anew(len(self) + 1)
        self._runners[note.address] = runner
        if known != note:
            self._note_pid(known)
        contact.ask()
        return runner

    def _share_anew(self, runners: int) -> None:
        """Count each runner with its share among so many; to have the kernel count all anew would take too long."""
        for runner in self:
            # The forkserver has its share, too.
            runner.footprint = runner.footprint.shared_anew(before=len(self) + 1, now=runners + 1)

    def _note_pid(self, note: RunnerNote) -> None:
        try:
            self._files.write(note)
        except OSError as err:
            # The first note, without a pid, stands: a successor finds the runner by its address.
            logger.warning("the pid of the runner of %s could not be noted: %s", note.desired.ref, err)

    def _adopt(self, note: RunnerNote, contact: RunnerContact, deadline: float) -> None:
        """Watch the process a note tells of; one without a pid yet is asked for it at its address."""
        process = RunnerProcess.adopt(note.pid, note.started_ticks) if note.pid else _find(contact, deadline)
        if process is None:
            contact.close()
            self._forget(note)
            return

        runner = self._watch(note, process, contact)
        while runner.status is None and time.monotonic() < deadline:
            contact.socket.poll(POLL_MS)
            runner.hear()
        logger.info("adopted the runner of %s, pid %d, %s", note.desired.ref, process.pid, runner.state)

    def _clear(self, runner: WatchedRunner) -> EndedRunner:
        runner.hear()
        how = runner.process.close()
        runner.contact.close()
        self._share_anew(len(self) - 1)
        del self._runners[runner.note.address]
        self._forget(runner.note)
        return runner.ended("it did not answer and was killed" if runner.is_killed else how)

    def _forget(self, note: RunnerNote) -> None:
        self._files.remove(note.address)
        if note.pid and self._metrics_dir.is_dir():
            fold_dead_process(self._metrics_dir, note.pid)

    def _contact(self, address: str) -> RunnerContact:
        return RunnerContact(self._context, address)

    def _spec(self, note: RunnerNote, folder: Path) -> RunnerSpec:
        settings = self._settings
        return RunnerSpec(
            ref=note.desired.ref,
            digest=note.digest,
            folder=folder,
            address=note.address,
            queue_rows=settings.runner_queue_rows,
            threads=settings.runner_threads,
            max_image_pixels=settings.max_image_pixels,
            drain_s=settings.drain_s,
            state_redis_url=settings.state_redis_url,
            redis_timeout_s=settings.redis_timeout_s,
            log_level=settings.log_level,
            metrics_dir=self._metrics_dir,
        )


def _find(contact: RunnerContact, deadline: float) -> RunnerProcess | None:
    """Ask whoever listens at an address for its pid."""
    contact.ask()
    while time.monotonic() < deadline:
        contact.socket.poll(POLL_MS)
        status = contact.read()
        if status is not None:
            return RunnerProcess.adopt(status.pid)

    return None
