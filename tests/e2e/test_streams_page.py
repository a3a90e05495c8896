"""/docs/streams in a real browser that has no internet: it speaks with a running Galley, and shows what is said."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories.browser import Page, open_page
from tests.factories.stack import Stack
from tests.factories.waiting import wait_until

pytestmark = pytest.mark.long

# In the place of a server: it takes no event at first, then only the first one, and then all.
REFUSING = """
window.heard = [];
window.WebSocket = class {
  constructor() { setTimeout(() => this.onopen()); }
  say(frame, ms) { setTimeout(() => this.onmessage({ data: JSON.stringify(frame) }), ms); }
  send(text) {
    const { type, seq } = JSON.parse(text);
    if (type === "hello") return this.say({ type: "ready", session: "s", resume: "r", last_seq: 0, credits: 4 });
    heard.push(seq);
    const code = seq === 1 ? "queue_full" : "sequence_skipped";
    if (heard.length <= 4) return this.say({ type: "error", seq, code, retryable: true, retry_after_s: 0.1 });
    if (heard.length > 5) return this.say({ type: "score", seq, score: 0.5, decision: "approve" });
    setTimeout(() => { window.alone = heard.length; }, 300);
    this.say({ type: "score", seq, score: 0.5, decision: "approve" }, 300);
  }
};
"""
# The first three requests find nobody.
FAILING = """
window.asked = 0;
const fetchNow = window.fetch;
window.fetch = (...all) => (++asked <= 3 ? Promise.reject(new TypeError("Nobody is there.")) : fetchNow(...all));
"""
WORDS = ["I", "lost", "my", "card", "yesterday", "and", "cannot", "pay", "my", "bill"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    with open_page() as page:
        yield page


@pytest.fixture
def page(browser: Page, stack: Stack) -> Page:
    """The page as it is at first, its scripts at work."""
    browser.open(f"{stack.url}/docs/streams")
    browser.wait_for("main:not([inert])")
    return browser


def wait_for_text(page: Page, selector: str, text: str) -> None:
    wait_until(lambda: text in page.text(selector), timeout_s=30)


def count(page: Page, selector: str) -> int:
    return int(page.evaluate(f"document.querySelectorAll({selector!r}).length"))


def enter_credentials(page: Page, stack: Stack) -> None:
    admin = dict(line.split("=", 1) for line in (stack.var_dir / "admin.env").read_text().split())
    page.type("#client-id", admin["GALLEY_CLIENT_ID"])
    page.type("#client-secret", admin["GALLEY_CLIENT_SECRET"])


def connect(page: Page, stack: Stack, stream: str) -> None:
    """Get a token by the form, and open a session."""
    enter_credentials(page, stack)
    page.click("#credentials button")
    wait_for_text(page, "#token-note", "minutes")
    page.click(f"input[value={stream}]")
    page.click("#connect")
    wait_for_text(page, "#state", "ready")


def test_payments_are_scored_as_they_are_sent(page: Page, stack: Stack, tmp_path: Path) -> None:
    connect(page, stack, "fraud")
    page.click("#send")
    page.click("#send-many")
    wait_until(lambda: count(page, "#scores tr") == 101, timeout_s=30)

    assert page.text("#last-seq") == "101"
    assert page.text("#under-way") == "0"
    assert (
        page.evaluate("[...document.querySelectorAll('#scores td:nth-child(5)')].some((cell) => !cell.innerText)")
        is False
    )
    assert count(page, "#scores .error") == 0
    page.screenshot(tmp_path / "fraud.png")
    assert (tmp_path / "fraud.png").stat().st_size > 20_000


def test_a_session_goes_on_over_another_socket(page: Page, stack: Stack) -> None:
    connect(page, stack, "fraud")
    session = page.text("#session")
    page.click("#send")
    wait_for_text(page, "#last-seq", "1")
    page.click("#disconnect")
    wait_for_text(page, "#state", "closed")
    page.click("#resume")
    wait_for_text(page, "#state", "ready")
    page.click("#send")
    wait_for_text(page, "#last-seq", "2")

    assert page.text("#session") == session
    assert count(page, "#scores tr") == 2


def test_the_page_comes_again_when_its_web_worker_is_killed(page: Page, stack: Stack) -> None:
    connect(page, stack, "fraud")
    session = page.text("#session")
    workers = stack.find("gunicorn: worker")
    for worker in workers:
        worker.kill()
    wait_for_text(page, "#log", "closed with 1006")
    wait_for_text(page, "#state", "ready")
    page.click("#send")
    wait_until(lambda: count(page, "#scores tr") == 1, timeout_s=30)

    assert len(workers) > 0
    assert page.text("#session") == session
    wait_until(lambda: len(stack.find("gunicorn: worker")) >= len(workers), timeout_s=30)


def test_the_page_comes_again_when_the_token_is_late(page: Page, stack: Stack) -> None:
    connect(page, stack, "fraud")
    session = page.text("#session")
    page.evaluate(FAILING)
    page.evaluate("document.getElementById('token').value = ''")
    workers = stack.find("gunicorn: worker")
    for worker in workers:
        worker.kill()
    wait_for_text(page, "#token-note", "There is no token: Nobody is there.")
    wait_for_text(page, "#state", "ready")

    assert page.text("#session") == session
    assert page.evaluate("asked") >= 4
    wait_until(lambda: len(stack.find("gunicorn: worker")) >= len(workers), timeout_s=30)


def test_a_token_that_does_not_come_is_told(page: Page, stack: Stack) -> None:
    enter_credentials(page, stack)
    page.evaluate(FAILING)
    page.click("#credentials button")
    wait_for_text(page, "#token-note", "There is no token: Nobody is there.")
    page.click("#connect")
    wait_until(lambda: page.evaluate("asked") == 2, timeout_s=30)
    wait_for_text(page, "#state", "closed")

    assert page.evaluate("document.getElementById('connect').disabled") is False


def test_two_clicks_open_one_socket(page: Page, stack: Stack) -> None:
    connect(page, stack, "fraud")
    page.click("#disconnect")
    wait_for_text(page, "#state", "closed")
    for button in ("connect", "resume"):
        page.evaluate("document.getElementById('log').replaceChildren()")
        page.evaluate(f"for (let n = 0; n < 3; n++) document.getElementById('{button}').click()")
        wait_for_text(page, "#state", "ready")
        page.click("#send")
        wait_for_text(page, "#log", '"score"')
        page.click("#disconnect")
        wait_for_text(page, "#state", "closed")

        assert page.text("#log").count('"hello"') == 1


def test_after_trouble_the_lowest_number_goes_alone(page: Page, stack: Stack) -> None:
    page.evaluate(REFUSING)
    connect(page, stack, "fraud")
    page.click("#send-many")
    wait_until(lambda: count(page, "#scores tr") == 100, timeout_s=30)

    assert page.evaluate("alone") == 5
    assert page.evaluate("heard") == [1, 2, 3, 4, *range(1, 101)]


def test_what_is_wrong_with_a_payment_is_shown(page: Page, stack: Stack) -> None:
    connect(page, stack, "fraud")
    page.evaluate("document.getElementById('event').value = '{'")
    page.click("#send")
    wait_for_text(page, "#event-note", "This is no JSON")
    page.evaluate("document.getElementById('event').value = '{\"amount\": -1}'")
    page.click("#send")
    wait_until(lambda: count(page, "#scores .error") == 1, timeout_s=30)

    assert "Send a number from 0" in page.text("#scores")


def test_a_text_is_classified_word_by_word(page: Page, stack: Stack) -> None:
    connect(page, stack, "text")
    for word in WORDS:
        page.type("#words", f"{word} ")
    wait_for_text(page, "#last-seq", str(len(WORDS)))

    assert count(page, "#bars li.leads") == 1
    assert page.text("#bars li.leads").split()[0] in page.text("#label")
    assert "for good" not in page.text("#label")

    page.click("#end-text")
    wait_for_text(page, "#label", "for good")


def test_nothing_is_sent_without_a_token(page: Page) -> None:
    page.click("#connect")
    wait_for_text(page, "#token-note", "Get a token first")

    assert page.text("#state") == "closed"
    assert count(page, "#log li") == 0


def test_an_ended_session_cannot_be_resumed(page: Page, stack: Stack) -> None:
    connect(page, stack, "text")
    page.click("#bye")
    wait_for_text(page, "#state", "closed")

    assert page.evaluate("document.getElementById('resume').disabled") is True
    assert "closed with 1000" in page.text("#log")
