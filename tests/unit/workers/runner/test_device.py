"""Each thread says how many torch threads its calls take."""

import threading

import torch

from workers.runner.device import available_cores, use_torch_threads


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


def test_there_is_a_core() -> None:
    assert available_cores() >= 1
