"""What a runner computes on: the cores it may use, and how many of them one torch call takes.

The CPU only. torch keeps the number of threads per calling thread, so each thread of ours says its own.
"""

import os
import threading

import torch

_this_thread = threading.local()
_A_FORK = """
def same(x: Tensor) -> Tensor:
    return x

def forked(x: Tensor) -> Tensor:
    return torch.jit.wait(torch.jit.fork(same, x))
"""


def available_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0))


def use_torch_threads(count: int) -> None:
    """Let torch calls of the calling thread use `count` threads.

    Remembered per thread: saying it again costs nothing, where torch would drop its computation caches.
    """
    if getattr(_this_thread, "torch_threads", 0) == count:
        return

    # Reading comes first: a thread's first use of torch sets the number to the one that any thread set last.
    torch.get_num_threads()
    torch.set_num_threads(count)
    _this_thread.torch_threads = count


def start_fork_pool() -> None:
    """Start the threads that torch runs forked parts of models on.

    The first fork of a process starts them otherwise; from whoever does, they inherit their scheduling for good.
    """
    torch.jit.CompilationUnit(_A_FORK).forked(torch.zeros(1))
