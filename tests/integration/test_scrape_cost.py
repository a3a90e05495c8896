"""What a scrape costs where there is much to tell: printed, not judged, since machines differ. All of it is told."""

import sys
import time
from pathlib import Path

import pytest

from tests.factories.metric_files import leave_crowd
from tests.factories.web import WebWorker

pytestmark = [pytest.mark.long, pytest.mark.alone]

WEB_WORKERS = 8
VERSIONS = 60
SCRAPES = 10


def scrape(worker: WebWorker) -> tuple[float, str]:
    """Return the processor milliseconds of a scrape, and what it told."""
    started = time.process_time()
    text = worker.app.test_client().get("/metrics").text
    return (time.process_time() - started) * 1000, text


def test_what_scrapes_cost(worker: WebWorker, capsys: pytest.CaptureFixture[str]) -> None:
    folder: Path = worker.services.settings.metrics_dir
    # The rest of the app has been used before.
    scrape(worker)
    leave_crowd(folder, web_workers=WEB_WORKERS, versions=VERSIONS)

    first_ms, text = scrape(worker)
    later = [scrape(worker) for _ in range(SCRAPES)]
    later_ms = sorted(ms for ms, _ in later)

    lines, typical_ms = text.count("\n"), later_ms[SCRAPES // 2]
    with capsys.disabled():
        sys.stdout.write(
            "\n| web workers | versions | lines | first, ms | median, ms | slowest, ms |\n|---|---|---|---|---|---|\n"
            f"| {WEB_WORKERS} | {VERSIONS} | {lines} | {first_ms:.0f} | {typical_ms:.1f} | {later_ms[-1]:.1f} |\n"
        )
    assert lines > VERSIONS * 150
    assert all(told.count("\n") == lines for _, told in later)
