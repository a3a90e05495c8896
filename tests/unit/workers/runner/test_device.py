"""Each thread says how many torch threads its calls take."""

import threading
from pathlib import Path

import torch

from workers.runner.device import available_cores, start_fork_pool, use_torch_threads


def test_threads_are_set_for_the_calling_thread_only() -> None:
    seen: list[int] = []

    def look(count: int) -> None:
        use_torch_threads(count)
        seen.append(torch.get_num_threads())

    for count in (3, 1):
        thread = threading.Thread(target=look, args=(count,))
        thread.start()
        thread.join()

    assert seen == [3, 1]


def test_threads_keep_theirs_whatever_another_sets_before_their_first_use() -> None:
    is_set, may_look = threading.Event(), threading.Event()
    seen: list[int] = []

    def look() -> None:
        use_torch_threads(1)
        is_set.set()
        may_look.wait()
        seen.append(torch.get_num_threads())

    def disturb() -> None:
        is_set.wait()
        use_torch_threads(3)
        may_look.set()

    threads = [threading.Thread(target=work) for work in (look, disturb)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert seen == [1]


def test_there_is_a_core() -> None:
    assert available_cores() >= 1


def test_fork_pool_has_threads_before_a_model_forks() -> None:
    start_fork_pool()

    assert "PTThreadPool" in {path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")}
