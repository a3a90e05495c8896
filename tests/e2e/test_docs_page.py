"""The documentation page in a real browser without internet."""

import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.factories.parts import needed
from tests.factories.stack import Stack

pytestmark = pytest.mark.long

# Any name but this machine's resolves to nothing: what the page needs must come from Galley.
OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
RENDERING_MS = 15_000


def browse(url: str, profile: Path, *options: str) -> str:
    """Open a page in headless Chromium; return what the browser prints."""
    browser = needed("chromium", package="chromium")
    quiet = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
    place = [f"--user-data-dir={profile}", OFFLINE, f"--virtual-time-budget={RENDERING_MS}", "--window-size=1280,2000"]
    command = [browser, *quiet, *place, *options, url]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture(scope="module")
def page(stack: Stack) -> str:
    """The page as the browser sees it once its scripts have run."""
    with tempfile.TemporaryDirectory(prefix="galley-chromium-") as profile:
        return browse(f"{stack.url}/docs", Path(profile), "--dump-dom")


def test_page_lists_every_room_of_the_api(page: str) -> None:
    for route in ("/api/v1/images/classifications", "/auth/token", "/health/ready"):
        assert route in page.replace("\u200b", "")


def test_page_offers_to_authorize(page: str) -> None:
    assert "Authorize" in page


def test_page_shows_no_error(page: str) -> None:
    assert "Failed to load API definition" not in page
    assert "errors-wrapper" not in page


def test_page_can_be_seen(stack: Stack, tmp_path: Path) -> None:
    shot = tmp_path / "docs.png"
    browse(f"{stack.url}/docs", tmp_path / "profile", f"--screenshot={shot}")

    assert shot.stat().st_size > 20_000
