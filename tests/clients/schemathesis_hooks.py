"""What schemathesis checks on every answer: no 5xx but truthful ones, and every failure in its form.

Runs in the clients' environment, loaded by schemathesis itself (SCHEMATHESIS_HOOKS).
"""

import json

import schemathesis

TRUTHFUL = {502, 503, 504}
PROBLEM = {"type", "title", "status", "detail", "code", "request_id", "retryable"}
V2_FAILURE = {"error", "code", "request_id", "retryable"}


@schemathesis.check
def failures_are_well_formed(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Raise an AssertionError for an answer that breaks the rules."""
    status = response.status_code
    path = case.operation.path
    if status < 400 or path == "/health/ready":
        return

    headers = {name.lower() for name in response.headers}
    assert status < 500 or status in TRUTHFUL, f"{status} from {path}"
    assert ("retry-after" in headers) == (status in {429, 503}), f"Retry-After and {status} from {path}"
    wanted = V2_FAILURE if path.startswith("/v2") else PROBLEM
    if case.method != "HEAD":
        missing = wanted - set(json.loads(response.content))
        assert not missing, f"{status} from {path} lacks {missing}"
