"""Each process says what it takes, from its beginning to its end."""

import threading
import time

from prometheus_client import REGISTRY

from app.infra.process_meter import ProcessMeter
from tests.factories.waiting import wait_until


def value(name: str, part: str) -> float:
    """Return what is noted of a part."""
    return REGISTRY.get_sample_value(name, {"part": part}) or 0.0


def test_what_a_process_takes_is_noted() -> None:
    ProcessMeter("noted").note()

    assert value("galley_processes", "noted") == 1
    assert value("galley_process_resident_bytes", "noted") > 10_000_000
    assert value("galley_process_descriptors_limit", "noted") > value("galley_process_descriptors", "noted") > 2
    assert value("galley_process_cpu_seconds_total", "noted") > 0.1


def test_processor_time_is_noted_once() -> None:
    meter = ProcessMeter("once")
    for _ in range(3):
        meter.note()

    assert value("galley_process_cpu_seconds_total", "once") <= time.process_time()


def test_it_notes_again_and_again_until_it_is_stopped() -> None:
    meter = ProcessMeter("thread", every_s=0.001)
    meter.start()
    first = value("galley_process_cpu_seconds_total", "thread")
    wait_until(lambda: value("galley_process_cpu_seconds_total", "thread") > first)
    meter.stop()

    assert "process-meter" not in {thread.name for thread in threading.enumerate()}
    assert value("galley_processes", "thread") == 0
