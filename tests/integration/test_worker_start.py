"""What a web worker does before it serves."""

import json
from pathlib import Path

import pytest

from tests.factories.database import migrate
from tests.factories.gunicorns import CONFIG, is_alive, running_gunicorn
from tests.factories.settings import make_settings
from tests.factories.stack import free_port
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# Notes how many objects collections pass over from then on, and how many full ones come while a worker is busy.
TELLING = """
import gc
import json
from pathlib import Path

path = Path({config!r})
exec(compile(path.read_text(), path, "exec"))
usual = post_worker_init

def post_worker_init(worker):
    usual(worker)
    frozen, full, kept = gc.get_freeze_count(), gc.get_stats()[2]["collections"], []
    for number in range(200_000):
        cycle = []
        cycle.append(cycle)
        if number % 100 == 0:
            kept.append(cycle)
    Path({told!r}).write_text(json.dumps([frozen, gc.get_stats()[2]["collections"] - full]))
"""


def test_collections_pass_over_what_a_worker_starts_with_and_come_all_the_same(tmp_path: Path) -> None:
    """A worker's modules, routes and schemas are most of its objects, and none is ever garbage; a closed socket is."""
    settings, port, told = make_settings(tmp_path), free_port(), tmp_path / "told"
    migrate(settings.database_url)
    config = tmp_path / "telling.conf.py"
    config.write_text(TELLING.format(config=str(CONFIG), told=str(told)))

    with running_gunicorn(settings, port, config=config):
        wait_until(lambda: is_alive(f"http://127.0.0.1:{port}"), timeout_s=60)

    frozen, full_collections = json.loads(told.read_text())
    assert frozen > 100_000
    assert full_collections > 0


def test_a_start_without_redis_is_all_a_worker_has_to_warn_of(tmp_path: Path) -> None:
    settings, port = make_settings(tmp_path), free_port()
    migrate(settings.database_url)
    with running_gunicorn(settings, port):
        wait_until(lambda: is_alive(f"http://127.0.0.1:{port}"), timeout_s=60)

    lines = [json.loads(line) for line in (tmp_path / "web.log").read_text().splitlines()]
    warnings = [line["event"] for line in lines if line["level"] not in {"info", "debug"}]
    assert [warning for warning in warnings if "Redis does not answer" not in warning] == []
