"""A runner as a real process: its title, its signals, its exit codes, and what the controller may import."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import SpawnProcess
from pathlib import Path

import psutil
import pytest
import zmq

from app.inference.messages import RunnerState
from app.infra.metrics import MetricsReader
from tests.factories.models import WrongWidth
from tests.factories.pictures import answers_colour, plain_picture
from tests.factories.runners import Caller, make_spec
from workers.runner.process import RunnerSpec, process_title, run_runner


@contextmanager
def spawned(spec: RunnerSpec) -> Iterator[tuple[SpawnProcess, Caller]]:
    """Run a runner in a process of its own for the time of a test."""
    process = multiprocessing.get_context("spawn").Process(target=run_runner, args=(spec,))
    process.start()
    context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
    caller = Caller(context, spec.address)
    try:
        yield process, caller
    finally:
        caller.close()
        context.term()
        process.kill()
        process.join()
        process.close()


def test_lives_until_sigterm_and_ignores_ctrl_c(tmp_path: Path, socket_folder: Path) -> None:
    spec = make_spec(tmp_path, socket_folder)
    with spawned(spec) as (process, caller):
        caller.wait_for(RunnerState.READY)
        assert process.pid is not None
        assert psutil.Process(process.pid).cmdline()[0] == process_title(spec.ref)

        os.kill(process.pid, signal.SIGINT)
        _reply, answers = caller.classify([plain_picture((255, 0, 0))])
        os.kill(process.pid, signal.SIGTERM)
        process.join(20)

        assert answers[0] is not None
        assert answers_colour(answers[0], (255, 0, 0))
        assert process.exitcode == 0


def test_what_it_took_is_noted_to_its_end(tmp_path: Path, socket_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = tmp_path / "runners"
    metrics.mkdir()
    # As the controller's forkserver has it: whether to share is decided on import.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(metrics))
    with spawned(make_spec(tmp_path, socket_folder, metrics_dir=metrics)) as (process, caller):
        caller.wait_for(RunnerState.READY)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(20)

        told = {series.name: value for series, value in MetricsReader().samples([metrics])}
        assert told["galley_processes"] == 0
        assert told["galley_process_cpu_seconds_total"] > 0


def test_a_failed_load_ends_with_one_when_told_to(tmp_path: Path, socket_folder: Path) -> None:
    with spawned(make_spec(tmp_path, socket_folder, WrongWidth())) as (process, caller):
        caller.wait_for(RunnerState.FAILED)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGTERM)
        process.join(20)

        assert process.exitcode == 1


def test_what_the_controller_imports_is_free_of_torch() -> None:
    code = "import sys, workers.runner.process; sys.exit('torch' in sys.modules or 'PIL' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_preload_starts_no_thread() -> None:
    """Except numpy's: OpenBLAS starts its own on import, and sets them up again after a fork."""
    code = """if True:
        import os, numpy
        before = os.listdir("/proc/self/task")
        import workers.runner.preload
        assert os.listdir("/proc/self/task") == before
    """

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
