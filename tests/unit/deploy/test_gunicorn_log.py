"""gunicorn's lines are JSON objects, and so is what libraries warn of beside them."""

import subprocess
import sys

import orjson

from tests.factories.stack import ROOT

TALKING = """
import warnings
from gunicorn.config import Config
from deploy.gunicorn_log import GunicornLog
log = GunicornLog(Config())
log.info("Booting worker with pid: %d", 7)
warnings.warn("odd import")
log.setup(Config())
log.error("gone")
"""


def test_each_line_is_an_object_however_often_it_is_set_up() -> None:
    told = subprocess.run([sys.executable, "-c", TALKING], cwd=ROOT, check=True, capture_output=True).stderr

    lines = [orjson.loads(line) for line in told.splitlines()]
    assert [(line["logger"], line["level"]) for line in lines] == [
        ("gunicorn.error", "info"),
        ("py.warnings", "warning"),
        ("gunicorn.error", "error"),
    ]
    assert lines[0]["event"] == "Booting worker with pid: 7"
