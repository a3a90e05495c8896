"""What every answer tells a browser: to guess nothing, to say nothing of where it was, and to run nothing."""

from typing import Final

from flask import Flask, Response

SECURITY_HEADERS: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    # Answers are data. The pages, which are not, bring policies of their own.
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
)
"""By name: the same for good answers and failures, whether Flask, the fast path or gunicorn's refusals write them.

That a browser is to come by TLS only (HSTS) is for who ends the TLS to say: nginx.
"""


def init_security_headers(app: Flask) -> None:
    """Give the headers to each answer of `app` that does not bring its own."""
    app.after_request(_harden)


def _harden(response: Response) -> Response:
    for name, value in SECURITY_HEADERS:
        response.headers.setdefault(name, value)
    return response
