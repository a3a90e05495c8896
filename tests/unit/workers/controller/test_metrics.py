"""The controller's gauges."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from app.inference.messages import RunnerState
from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from workers.controller.metrics import ControllerMetrics
from workers.controller.situation import RunnerView

VERSION = DesiredVersion(ref=ModelRef("measured", 1), digest="0" * 64)
READY = RunnerView(version=VERSION, address="a", state=RunnerState.READY, memory_bytes=70)


@pytest.fixture
def metrics() -> ControllerMetrics:
    return ControllerMetrics(budget_bytes=500)


def value(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(f"galley_controller_{name}", labels)


def test_memory_of_a_versions_runners_is_added_up(metrics: ControllerMetrics) -> None:
    metrics.show([READY, replace(READY, address="b", state=RunnerState.LOADING, memory_bytes=30)])

    assert value("memory_bytes", model="measured", version="1") == 100
    assert value("memory_budget_bytes") == 500
    assert (value("runners", state="READY"), value("runners", state="LOADING")) == (1, 1)


def test_what_is_gone_is_zero(metrics: ControllerMetrics) -> None:
    metrics.show([READY])
    metrics.show([])

    assert value("memory_bytes", model="measured", version="1") == 0
    assert value("runners", state="READY") == 0
