"""The limited process: opens one foreign artifact, finds out what it is and how it runs, and reports.

Started by `verify_isolated` as `python -m workers.verification.child ORDER`. It says each step before it takes it, so
that the process that waits can name the step in which this one was ended.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import torch

from app.errors import GalleyError, LimitExceeded, StoreError, UnloadableArtifact
from workers.runner.loaded_model import MODEL_ERRORS, last_line
from workers.runner.pipelines.base import Limits
from workers.verification.confinement import confine
from workers.verification.limits import VerificationLimits
from workers.verification.report import Failed, Order, ReportWriter, Step
from workers.verification.trial import Trial

# As torch and the C++ library say it.
_OUT_OF_MEMORY = ("can't allocate memory", "bad_alloc", "not enough memory", "Cannot allocate memory")


def main(argument: str) -> None:
    """Carry out an order and report the end of it."""
    order = msgspec.json.decode(argument, type=Order)
    writer = ReportWriter(order.report_fd)
    trial = Trial(limits=Limits(max_image_pixels=order.max_image_pixels), report=lambda step: writer.send(Step(step)))
    torch.set_num_interop_threads(1)
    confine(order)
    try:
        writer.send(trial.run(Path()))
    except (GalleyError, *MODEL_ERRORS) as err:
        writer.send(_failed(err, order, trial.step))


def _failed(err: Exception, order: Order, step: str) -> Failed:
    """Return the report of a failure; one for want of memory is told as such, whatever it broke."""
    if any(isinstance(cause, MemoryError) or _names_memory(cause) for cause in _causes(err)):
        limits = VerificationLimits(memory_bytes=order.memory_bytes, cpu_s=order.cpu_s, wall_s=0)
        return Failed(LimitExceeded.code, f"{limits.too_much_memory()}, while {step}.")
    if isinstance(err, StoreError):
        return Failed(err.code, err.detail[:10_000])

    said = str(err) if isinstance(err, GalleyError) else f"Verification broke while {step}: {last_line(err)}"
    return Failed(UnloadableArtifact.code, said[:10_000])


def _names_memory(err: BaseException) -> bool:
    return any(words in str(err) for words in _OUT_OF_MEMORY)


def _causes(err: BaseException | None) -> Iterator[BaseException]:
    while err is not None:
        yield err
        err = err.__cause__ or err.__context__


if __name__ == "__main__":
    main(sys.argv[1])
    # Without the interpreter's own end: threads of the model may still run.
    os._exit(0)
