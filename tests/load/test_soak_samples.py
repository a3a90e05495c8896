"""The sampler sees what processes hold, tells those of the same number apart, and passes over those that ended."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from tests.load.soak_samples import Sampler


def test_a_process_and_what_it_started_are_seen() -> None:
    sampler = Sampler(first_pids=lambda: [os.getpid()], names={os.getpid(): "this one"})
    with subprocess.Popen([sys.executable, "-c", "input()", "galley-controller"], stdin=subprocess.PIPE) as child:
        sampler.look(1.0)
        born = psutil.Process(child.pid).create_time()
        child.communicate(b"\n")
    sampler.look(2.0)

    ((own_life, own),) = ((life, samples) for life, samples in sampler.lives.items() if life[0] == os.getpid())
    (seen,) = sampler.lives[child.pid, born]
    assert own_life == (os.getpid(), psutil.Process().create_time())
    assert [(sample.at, sample.kind) for sample in own] == [(1.0, "this one"), (2.0, "this one")]
    assert (seen.at, seen.kind) == (1.0, "controller")
    assert all(0 < sample.holding.pss_bytes <= sample.holding.rss_bytes for sample in (*own, seen))


def test_an_open_file_is_a_descriptor(tmp_path: Path) -> None:
    sampler = Sampler(first_pids=lambda: [os.getpid()])
    sampler.look(1.0)
    with (tmp_path / "file").open("w"):
        sampler.look(2.0)

    before, after = sampler.lives[os.getpid(), psutil.Process().create_time()]
    assert after.holding.descriptors == before.holding.descriptors + 1


def test_it_ends_when_it_is_over() -> None:
    over = threading.Event()
    over.set()
    sampler = Sampler(first_pids=lambda: [os.getpid()])

    sampler.work(over)

    assert not sampler.lives
