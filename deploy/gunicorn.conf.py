"""gunicorn's configuration: gevent workers that hold no model.

The application is imported after the fork, in each worker, so no pool or socket is shared between processes.
"""

from typing import Any

import gevent

from app.infra.metrics import fold_dead_process
from app.settings import read_settings
from app.web.extensions import services_of

settings = read_settings()

proc_name = "galley-web"
bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers = settings.web_workers
worker_class = "deploy.draining_worker.DrainingWorker"
worker_connections = 4096
backlog = 2048

# Longer than a proxy keeps idle connections (nginx: 60 s), so that it is never gunicorn that closes one in use.
keepalive = 75
# A worker whose hub is held this long is killed and replaced; requests have deadlines of their own.
timeout = 60
graceful_timeout = int(settings.drain_s)

# The control socket's default path is per user, and two copies would meet there; supervisord is the control.
control_socket_disable = True
# Written by the application, one JSON line per request.
accesslog = None
errorlog = "-"
loglevel = settings.log_level


# Redis answers within milliseconds; without it, or before the first controller, nothing is known to wait for.
KNOWN_WITHIN_S = 1.0


def post_worker_init(worker: Any) -> None:
    """Let a new worker learn which runners there are before it serves: until then it would call all models away."""
    services = services_of(worker.wsgi)
    services.start()
    services.directory.wait_known(KNOWN_WITHIN_S)


def post_request(_worker: Any, _request: Any, _environ: Any, _response: Any) -> None:
    """Let other connections in after each request.

    A busy kept-alive connection always finds its next request waiting and would never give the hub away:
    with 32 of them the slowest percent waited 110 to 350 ms, with this 23 to 32 ms.
    """
    gevent.sleep(0)


def worker_exit(_server: Any, worker: Any) -> None:
    """Close the services of a worker that ends: what only it knows of experiments is written now."""
    if worker.wsgi is not None:
        services_of(worker.wsgi).close()


def child_exit(_server: Any, worker: Any) -> None:
    """Fold a dead worker's metrics into one file, or each restart would leave some behind."""
    fold_dead_process(settings.metrics_dir / "web", worker.pid)
