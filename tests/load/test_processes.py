"""Each process of a stack is counted under its own kind."""

import os
import subprocess
import sys

import pytest

from tests.load.processes import ProcessFacts, cpu_by_kind, kind_of, stack_facts

TITLES = [
    ("galley-runner digits/1", "runner digits/1"),
    ("gunicorn: worker [wsgi:app]", "web worker"),
    ("gunicorn: master [wsgi:app]", "web master"),
    ("python -m deploy.tether python -m gunicorn --config deploy/gunicorn.conf.py wsgi:app", "tether"),
    ("nginx: master process /usr/sbin/nginx -c /etc/galley/nginx.conf", "nginx master"),
    ("nginx: worker process", "nginx worker"),
    ("/usr/lib/postgresql/15/bin/postgres -D /var/lib/data", "postgres"),
    ("postgres: galley galley_1 [local] idle", "postgres"),
    ("/usr/bin/redis-server unixsocket:run/redis.sock", "redis"),
    ("python -m celery --app workers.celery_app worker --beat", "celery"),
    ("python -c from multiprocessing.forkserver import main", "forkserver"),
    ("galley-controller", "controller"),
    ("python -m deploy.doorkeeper python -m gunicorn --config deploy/gunicorn.conf.py wsgi:app", "doorkeeper"),
    ("python -m deploy.stack.supervisord --configuration run/supervisord.conf", "supervisor"),
    ("python -m deploy.stack run", "launcher"),
    ("sleep 1", "other"),
]


@pytest.mark.parametrize(("title", "kind"), TITLES)
def test_kind_of(title: str, kind: str) -> None:
    """Name a process by its command line."""
    assert kind_of(title) == kind


def test_cpu_by_kind_counts_newcomers_whole() -> None:
    """Subtract what was used before, also when a process came or went between."""
    before = [_facts(1, "web worker", 2.0), _facts(2, "redis", 5.0)]
    after = [_facts(1, "web worker", 3.5), _facts(3, "web worker", 0.25)]

    assert cpu_by_kind(before, after) == {"web worker": 1.75}


def test_stack_facts_sees_children() -> None:
    """Find a child process, its kind and some memory."""
    with subprocess.Popen([sys.executable, "-c", "input()", "galley-controller"], stdin=subprocess.PIPE) as child:
        facts = {fact.pid: fact for fact in stack_facts(os.getpid())}
        child.communicate(b"\n")

    assert facts[child.pid].kind == "controller"
    assert facts[child.pid].pss_bytes > 0


def _facts(pid: int, kind: str, cpu_s: float) -> ProcessFacts:
    return ProcessFacts(pid=pid, kind=kind, cpu_s=cpu_s, pss_bytes=0)
