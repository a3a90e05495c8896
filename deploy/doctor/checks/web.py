"""The port that gunicorn listens on: free, or held by this stack."""

from collections.abc import Iterator
from http import HTTPStatus

from deploy.doctor.case import Case
from deploy.doctor.finding import Finding, error, good, warning
from deploy.stack.checks import check_port
from deploy.stack.local_http import base_url, call


def port(case: Case) -> Iterator[Finding]:
    """Who has the port."""
    problems = check_port(case.settings)
    if problems:
        yield _held(case, problems[0])
    elif case.is_running:
        yield error(
            "port",
            "Parts of Galley run, and nobody listens for them.",
            f"See {case.settings.var_dir}/log/web.log, or the log of galley-web.",
        )
    else:
        yield good("port", f"{case.settings.host} port {case.settings.port} is free.")


def _held(case: Case, problem: str) -> Finding:
    """Ask who holds it: Galley itself may, however it was started."""
    url, mend = base_url(case.settings), "End who listens there, or set PORT or HOST."
    try:
        status, answer = call(case.settings, "GET", "/health/ready")
    except OSError:
        return error("port", problem, mend)
    if "ready" not in answer:
        return error("port", f"At {url} another program answers.", mend)
    if status != HTTPStatus.OK:
        return warning("port", f"Galley answers at {url}, and is not ready.", f"See `curl {url}/health/ready`.")

    return good("port", f"Galley answers at {url}, and is ready.")
