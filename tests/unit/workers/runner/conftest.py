"""A short folder for sockets, and a runner that is READY."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.inference.messages import RunnerState
from tests.factories.runners import Caller, RunningRunner, make_spec, running


@pytest.fixture
def socket_folder() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name."""
    folder = Path(tempfile.mkdtemp(prefix="galley-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def ready(tmp_path: Path, socket_folder: Path) -> Iterator[tuple[RunningRunner, Caller]]:
    """A READY runner of the colour model, and a caller."""
    with running(make_spec(tmp_path, socket_folder)) as (runner, caller):
        caller.wait_for(RunnerState.READY)
        yield runner, caller


@pytest.fixture
def caller(ready: tuple[RunningRunner, Caller]) -> Caller:
    """A caller of a READY runner of the colour model."""
    return ready[1]
