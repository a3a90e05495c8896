"""One stack for the whole suite, started once on an empty folder, as a newcomer's is."""

from collections.abc import Iterator

import httpx
import pytest

from tests.factories.stack import Stack, running_stack


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> None:
    """Let parts of the shared stack come and go; that a stack leaves nothing is tested in test_endings.py."""


@pytest.fixture(scope="package")
def stack() -> Iterator[Stack]:
    """A running stack with the demo models."""
    with running_stack() as stack:
        yield stack


@pytest.fixture
def client(stack: Stack) -> Iterator[httpx.Client]:
    """A client of the stack's gunicorn, with the admin's token."""
    with stack.client() as client:
        yield client


@pytest.fixture
def picture(stack: Stack) -> bytes:
    """A picture of a seven."""
    return stack.picture.read_bytes()
