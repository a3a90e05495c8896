"""Samples are divided by what the code belongs to; a process that works is sampled where it works."""

import subprocess
import sys

import pytest

from tests.architecture.source import ROOT
from tests.load.python_profile import OTHER, RUNNER_PARTS, WEB_PARTS, Parts, part_of, profile, shares_of

GUNICORN = "handle (gunicorn/workers/base_async.py:55)"


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        ([GUNICORN, "decide (app/web/fast_path/lane.py:9)", "decode (jwt/api_jwt.py:3)"], "tokens"),
        ([GUNICORN, "answer (app/web/fast_path/lane.py:9)", "dumps (json/encoder.py:3)"], "request and answer"),
        ([GUNICORN, "evalsha (redis/client.py:5)", "recv (gevent/_socket3.py:300)"], "Redis client"),
        ([GUNICORN, "recv (gevent/_socket3.py:300)"], "HTTP server"),
        (["run (gevent/hub.py:3)"], "event loop"),
        (
            [GUNICORN, "wsgi_app (flask/app.py:9)", "view (app/web/blueprints/images/routes.py:4)"],
            "routing, validation",
        ),
        (["_bootstrap (threading.py:1)"], OTHER),
        (["no place at all"], OTHER),
    ],
)
def test_the_innermost_claim_decides(frames: list[str], part: str) -> None:
    assert part_of(frames, WEB_PARTS) == part


@pytest.mark.parametrize(("parts", "folders"), [(WEB_PARTS, ("app", "deploy")), (RUNNER_PARTS, ("app", "workers"))])
def test_every_module_is_claimed_and_every_claim_holds(parts: Parts, folders: tuple[str, ...]) -> None:
    """A module that was renamed must not fall out of the table, nor leave a part without any."""
    modules = [path.relative_to(ROOT) for folder in folders for path in (ROOT / folder).rglob("*.py")]
    claimed = {part_of([f"f ({module}:1)"], parts) for module in modules}

    assert claimed >= {name for name, _ in parts} - {"Flask"}
    assert OTHER not in claimed


def test_shares_are_of_all_samples() -> None:
    stacks = f"{GUNICORN};f (flask/app.py:1) 30\n{GUNICORN} 60\nx (other.py:1) 10\n"

    seen = shares_of(stacks, WEB_PARTS)

    assert seen.shares == {"HTTP server": 0.6, "Flask": 0.3, OTHER: 0.1}
    assert seen.samples == 100


def test_a_busy_process_is_sampled() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            seen = profile([busy.pid], lambda: None, seconds=1, parts=WEB_PARTS)
        finally:
            busy.kill()
    if seen.problem:
        pytest.skip(f"this machine lets nobody sample: {seen.problem}")

    assert seen.shares == {OTHER: 1.0}
    assert seen.samples > 10


def test_a_process_that_is_gone_is_said_to_be() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        pass

    seen = profile([gone.pid], lambda: None, seconds=1, parts=WEB_PARTS)

    assert seen.problem
    assert seen.shares == {}
