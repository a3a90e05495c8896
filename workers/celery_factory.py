"""Builds the Celery application: queues, delivery, and what each process does at its start and end."""

import importlib
import logging
import os
import time
from typing import Any

from celery import Celery, signals
from kombu.entity import Exchange, Queue

from app.inference.heavy_queue import HeavyQueue
from app.infra.broker import broker_url, transport_options
from app.infra.broker_queues import SENT_AT
from app.infra.job_files import sweep_at_start
from app.infra.log_setup import setup_logging
from app.infra.metric_folding import fold_dead_processes
from app.infra.oom_order import end_before_others
from app.infra.parent_death import end_with_parent
from app.infra.process_meter import ProcessMeter
from app.infra.task_names import QueueName, TaskName, queue_of
from app.settings import Settings
from workers.beat_pulse import BeatPulse
from workers.bootstrap import assemble
from workers.heavy_presence import HeavyPresence
from workers.schedule import beat_schedule
from workers.watchdog import watch_over

SERVICE = "celery"
NICENESS = 5
# Loggers that tell of each task what workers.tasks.base tells too.
TOLD_BY_TASKS = ("celery.app.trace", "celery.worker.strategy")


def make_celery(settings: Settings) -> Celery:
    """Build the application; it connects to nothing yet."""
    app = Celery("galley", set_as_current=True)
    app.conf.update(_configuration(settings))
    # Of the main process, too: it knows when a process of its pool is lost. A client of Redis minds no fork.
    app.heavy_queue = HeavyQueue(settings)
    app.steps["consumer"].add(HeavyPresence)
    _follow_process_life(app, settings)
    return app


def _configuration(settings: Settings) -> dict[str, Any]:
    return {
        "broker_url": broker_url(settings.state_redis_url),
        "broker_transport_options": transport_options(settings),
        # Redis may be started after the worker, and may be away for as long as it likes.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "imports": (
            "workers.tasks.batch",
            "workers.tasks.heavy",
            "workers.tasks.maintenance",
            "workers.tasks.verification",
        ),
        "task_queues": [_queue(name) for name in QueueName],
        "task_default_queue": QueueName.UPKEEP.value,
        "task_create_missing_queues": False,
        "task_routes": {task.value: {"queue": queue_of(task).value} for task in TaskName},
        # State lives in SQL and files, never in Celery's results.
        "task_ignore_result": True,
        # A task is done when it has ended, not when it was taken: one whose process is killed runs again.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "worker_prefetch_multiplier": 1,
        "worker_concurrency": settings.job_workers,
        # In KiB. A child that held more ends with its task, and another takes its place.
        "worker_max_memory_per_child": settings.job_memory_limit // 1024 or None,
        # A model that never ends is ended with its process: it may be loaded, and then run as long as a caller waits.
        "task_annotations": {
            TaskName.INFER_HEAVY.value: {"time_limit": settings.load_timeout_s + settings.request_timeout_s}
        },
        "accept_content": ["json"],
        "timezone": "UTC",
        "beat_schedule": beat_schedule(),
    }


def _queue(name: QueueName) -> Queue:
    # With an exchange and a key of its own: Celery's defaults would bind every queue to the default one's messages.
    return Queue(name.value, Exchange(name.value), routing_key=name.value)  # type: ignore[no-untyped-call]


def _follow_process_life(app: Celery, settings: Settings) -> None:
    """Connect Celery's process signals. The receivers must outlive this call, hence `weak=False`."""
    pulse = BeatPulse()
    meter = ProcessMeter(SERVICE)

    def set_up_logging(**_: Any) -> None:
        setup_logging(settings.log_level)
        for name in TOLD_BY_TASKS:
            logging.getLogger(name).setLevel(logging.WARNING)

    def prepare_main(**_: Any) -> None:
        # Imported before the pool forks, without running an operation: its children share torch's pages.
        importlib.import_module("workers.runner.preload")
        _fold_metrics(settings)

    def prepare_child(**_: Any) -> None:
        end_with_parent(os.getppid())
        # Tasks wait for requests, never the other way round.
        os.nice(NICENESS)
        # Nor the machine for a model that takes all of its memory: the job's chunk is done again, a runner is missed.
        end_before_others()
        _fold_metrics(settings)
        app.parts = assemble(settings)
        sweep_at_start(app.parts.job_files)
        # Not in the main process: one that forks must have no thread that holds a lock.
        meter.start()

    def close_child(**_: Any) -> None:
        app.parts.close()
        meter.stop()

    def watch(sender: Any, **_: Any) -> None:
        watch_over(sender.controller, settings, pulse)

    def tie_beat(**_: Any) -> None:
        end_with_parent(os.getppid())
        signals.before_task_publish.connect(pulse.note, weak=False)

    signals.setup_logging.connect(set_up_logging, weak=False)
    signals.worker_init.connect(prepare_main, weak=False)
    signals.worker_process_init.connect(prepare_child, weak=False)
    signals.worker_process_shutdown.connect(close_child, weak=False)
    signals.worker_ready.connect(watch, weak=False)
    signals.beat_embedded_init.connect(tie_beat, weak=False)
    signals.before_task_publish.connect(_stamp_messages)


def _stamp_messages(headers: dict[str, Any], **_: Any) -> None:
    """Write into a message of beat's, or of a task that is tried again, when it was sent."""
    headers[SENT_AT] = time.time()


def _fold_metrics(settings: Settings) -> None:
    """Fold the files of pool processes that were killed and could not say so."""
    folder = settings.metrics_dir / SERVICE
    if folder.is_dir():
        fold_dead_processes(folder)
