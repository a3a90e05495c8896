"""gunicorn's configuration: gevent workers that hold no model.

The application is imported after the fork, in each worker, so no pool or socket is shared between processes.
"""

from app.infra.metric_room import take_room_for_metrics

# Before anything is imported that counts: its file is made then.
take_room_for_metrics()

# ruff: noqa: E402
import gc
import warnings
from typing import Any

import gevent
from gevent.monkey import MonkeyPatchWarning

from app.infra.descriptors import allow_descriptors
from app.infra.log_setup import gather_lines, stop_gathering
from app.infra.metric_folding import fold_dead_process, fold_dead_processes
from app.settings import read_settings
from app.web.extensions import services_of
from app.web.metrics import current_exposition
from deploy.retirement import CLOSING_S, give_place_back

# gevent takes ssl's place after the fork. Who had it before are parts of libraries that nothing here uses:
# redis.asyncio and the fetching of foreign keys for tokens.
warnings.filterwarnings("ignore", "Monkey-patching ssl after ssl", MonkeyPatchWarning)

settings = read_settings()
# Each connection is a descriptor, and most machines allow a process 1024 of them: beyond that none is taken any more.
allow_descriptors()

proc_name = "galley-web"
bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
workers = settings.web_workers
worker_class = "deploy.draining_worker.DrainingWorker"
worker_connections = 4096
# A fifth more at random: workers that were started together do not all make way at once.
max_requests = settings.web_max_requests
max_requests_jitter = settings.web_max_requests // 5
backlog = 2048

# Longer than a proxy keeps idle connections (nginx: 60 s), so that it is never gunicorn that closes one in use.
keepalive = 75
# A worker whose hub is held this long is killed and replaced; requests have deadlines of their own.
timeout = 60
# The workers' own end comes CLOSING_S sooner, so that the master kills none that still writes what it counted.
graceful_timeout = int(settings.drain_s + CLOSING_S)

# The control socket's default path is per user, and two copies would meet there; supervisord is the control.
control_socket_disable = True
# Written by the application, one JSON line per request.
accesslog = None
errorlog = "-"
logger_class = "deploy.gunicorn_log.GunicornLog"
loglevel = settings.log_level


# Redis answers within milliseconds; without it, or before the first controller, nothing is known to wait for.
KNOWN_WITHIN_S = 1.0


def on_starting(_server: Any) -> None:
    """Fold the metrics of workers whose gunicorn was killed: their gauges would seem to be those of living ones."""
    folder = settings.metrics_dir / "web"
    if folder.is_dir():
        fold_dead_processes(folder)


def post_worker_init(worker: Any) -> None:
    """Let a new worker learn which runners there are before it serves: until then it would call all models away."""
    services = services_of(worker.wsgi)
    services.start()
    services.directory.wait_known(KNOWN_WITHIN_S)
    # Reads the keys of all metrics while nobody waits for this worker: a first scrape costs 40 times a later one. What
    # lies on the disk may be anything, and to serve does not take it.
    try:
        with worker.wsgi.app_context():
            current_exposition().text()
    except (OSError, ValueError) as err:
        worker.log.warning("The first scrape will be slow: %s", err)
    gather_lines()
    # What is here now stays. A full collection walks all of it, 200 000 objects, and holds the hub for 0.1 s.
    gc.collect()
    gc.freeze()
    # Or the next one would come only when a quarter as much as the last one met is new: a closed socket is garbage in
    # cycles, and tens of megabytes of it would wait.
    gc.collect()


def post_request(_worker: Any, _request: Any, _environ: Any, _response: Any) -> None:
    """Let other connections in after each request.

    A busy kept-alive connection always finds its next request waiting and would never give the hub away:
    with 32 of them the slowest percent waited 110 to 350 ms, with this 23 to 32 ms.
    """
    gevent.sleep(0)


def worker_exit(_server: Any, worker: Any) -> None:
    """Close the services of a worker that ends: what only it knows of experiments is written now."""
    try:
        if worker.wsgi is not None:
            services_of(worker.wsgi).close()
    finally:
        stop_gathering()


def child_exit(server: Any, worker: Any) -> None:
    """Fold a dead worker's metrics into one file, or each restart would leave some behind; end a retirement."""
    give_place_back(server, usual=settings.web_workers)
    fold_dead_process(settings.metrics_dir / "web", worker.pid)
