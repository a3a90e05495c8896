"""What every answer over HTTP has to be like, whatever happens to the server."""

from typing import Any

import httpx

REQUEST_ID = "X-Request-ID"
RETRY_AFTER = "Retry-After"
HAVE_RETRY_AFTER = frozenset({429, 503})
# What breaks under a request without an answer to it.
CONNECTION, TIMEOUT = "connection", "timeout"
# The same to whoever asks gunicorn itself: what stands before it is no reason for them.
SCRAPE_REFUSED, SCRAPE_LATE = "scrape refused", "scrape late"
# Failures that no blow excuses: a caller's mistake, and a defect of the server.
NEVER = "status"


def breaches(answer: httpx.Response, request_id: str) -> list[str]:
    """Return what is wrong with an answer, good or bad, to the request of that id."""
    told = answer.headers.get(REQUEST_ID)
    wrong = [] if told == request_id else [f"it answers request {told}, not {request_id}"]
    if (RETRY_AFTER in answer.headers) != (answer.status_code in HAVE_RETRY_AFTER):
        wrong.append(f"a {answer.status_code} with {RETRY_AFTER} {answer.headers.get(RETRY_AFTER)}")
    if answer.is_error:
        members = problem_of(answer)
        if "code" not in members or members.get("request_id") != request_id:
            wrong.append(f"a {answer.status_code} that is no problem of this request: {answer.text[:200]}")
    return wrong


def symptom_of(answer: httpx.Response) -> str:
    """Name a refusal: by its code where another try may help, else so that nothing excuses it."""
    members = problem_of(answer)
    if answer.status_code in {408, 429, 502, 503, 504} and "code" in members:
        return str(members["code"])

    return f"{NEVER} {answer.status_code} {members.get('code', '')}".strip()


def symptom_of_error(error: httpx.HTTPError) -> str:
    """Name what broke."""
    return TIMEOUT if isinstance(error, httpx.TimeoutException) else CONNECTION


def problem_of(answer: httpx.Response) -> dict[str, Any]:
    """Return the members of a failure's document, or nothing where it is none."""
    try:
        members = answer.json()
    except ValueError:
        return {}

    return members if isinstance(members, dict) else {}
