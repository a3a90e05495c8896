"""No expression that reads what callers send takes for ever, whatever it is given."""

import importlib
import pkgutil
import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import pytest

import app
import deploy
import model_store

LENGTH = 4000
# Quadratic takes a tenth of a second at that length, exponential the age of the world.
MOST_S = 2.0
FRAGMENTS = (
    "a",
    "A1",
    " ",
    "\t",
    ",",
    "a,",
    "a=",
    '"',
    "\\",
    '\\"a',
    "%2",
    "..",
    "/",
    "a-",
    "a: b\r\n",
    "[(",
    "1.",
    "é",
    "a ",
    "=;",
)
HEADS = ("", "a", '"', "POST /", "a=", "1")


def modules() -> Iterator[ModuleType]:
    for package in (app, deploy, model_store):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # What gunicorn reads is a file of settings, no module; and to import a command runs it.
            if not found.name.endswith((".conf", ".__main__")):
                yield importlib.import_module(found.name)


def patterns() -> dict[str, re.Pattern[str] | re.Pattern[bytes]]:
    return {
        f"{module.__name__}.{name}": value
        for module in modules()
        for name, value in vars(module).items()
        if isinstance(value, re.Pattern)
    }


@contextmanager
def limited(what: str, most_s: float = MOST_S) -> Iterator[None]:
    """Fail if the block takes more processor time than it may."""

    def fail(*_: object) -> None:
        pytest.fail(f"{what} takes more than {most_s} s.")

    before = signal.signal(signal.SIGVTALRM, fail)
    signal.setitimer(signal.ITIMER_VIRTUAL, most_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def try_all(pattern: "re.Pattern[str] | re.Pattern[bytes]") -> None:
    for head in HEADS:
        for fragment in FRAGMENTS:
            text = head + fragment * (LENGTH // len(fragment)) + "\x00"
            subject = text.encode() if isinstance(pattern.pattern, bytes) else text
            pattern.match(subject)  # type: ignore[arg-type]
            pattern.fullmatch(subject)  # type: ignore[arg-type]


def test_every_pattern_ends_soon() -> None:
    found = patterns()

    for name, pattern in found.items():
        with limited(name):
            try_all(pattern)
    assert len(found) > 15


def test_a_pattern_that_does_not_is_caught() -> None:
    with pytest.raises(pytest.fail.Exception, match="evil"), limited("evil", 0.05):
        try_all(re.compile(r"(a+)+b"))
