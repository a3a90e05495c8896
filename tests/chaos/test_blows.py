"""A blow notes who is to end by it: until then not everything is back."""

import random
import signal
from typing import Any
from unittest.mock import create_autospec

import psutil
import pytest

from tests.chaos.blows import BLOWS
from tests.chaos.ground import Ground
from tests.factories.full_stack import FullStack
from tests.factories.stack import Stack


def make_ground() -> tuple[Ground, Any, Any]:
    """Return a ground with one doorkeeper and one gunicorn behind it, and both of these."""
    full: Any = create_autospec(FullStack, instance=True)
    stack: Any = create_autospec(Stack, instance=True)
    doorkeeper: Any = create_autospec(psutil.Process, instance=True, pid=7)
    master: Any = create_autospec(psutil.Process, instance=True, pid=8)
    full.stack = stack
    stack.find.return_value, stack.part.return_value = [master], [doorkeeper]
    return Ground(full=full, wires=create_autospec(object), url="", disk=None), master, doorkeeper


def test_servers_that_are_changed_are_to_end() -> None:
    ground, master, doorkeeper = make_ground()

    assert BLOWS["have the doorkeeper change servers"].strike(ground, random.Random(1)) == "process 7"
    doorkeeper.send_signal.assert_called_once_with(signal.SIGHUP)
    assert ground.to_end == [master]


@pytest.mark.parametrize(("way", "number"), [("kill", signal.SIGKILL), ("end", signal.SIGTERM)])
def test_who_is_killed_is_to_end(way: str, number: signal.Signals) -> None:
    ground, master, _ = make_ground()

    BLOWS[f"{way} gunicorn"].strike(ground, random.Random(1))
    master.send_signal.assert_called_once_with(number)
    assert ground.to_end == [master]


def test_nobody_ends_where_nobody_is_there_to_be_told() -> None:
    ground, _, doorkeeper = make_ground()
    doorkeeper.send_signal.side_effect = psutil.NoSuchProcess(7)

    assert "ended" in BLOWS["have the doorkeeper change servers"].strike(ground, random.Random(1))
    assert ground.to_end == []
