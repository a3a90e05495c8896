"""What each task asks of a signature."""

from typing import Any

import pytest

from app.errors import InvalidManifest
from model_store.manifest import Manifest, StateSpec, Task
from tests.factories.tensors import spec
from workers.runner.pipelines.task_signatures import check_task

USER = spec("user", "INT64", [-1])
EVENT = spec("event", "FP32", [-1, 5])
MEMORY = spec("memory", "FP32", [-1, 4])
MEMORY_AFTER = spec("memory_after", "FP32", [-1, 4])
SCORES = spec("scores", "FP32", [-1, 3])
TEXTS = spec("texts", "BYTES", [-1])
STATE = [StateSpec(input="memory", output="memory_after", shape=[4])]
LOUD = spec("loud", "BYTES", [-1])


def manifest(task: Task, inputs: list[Any], outputs: list[Any], **changes: Any) -> Manifest:
    """Return the manifest of a task."""
    return Manifest(task=task, inputs=inputs, outputs=outputs, max_batch_size=8, **changes)


@pytest.mark.parametrize(
    "good",
    [
        manifest("ranking", [USER], [SCORES]),
        manifest("sequence-scoring", [EVENT, MEMORY], [SCORES, MEMORY_AFTER], state=STATE),
        manifest("text-classification", [TEXTS], [SCORES], labels=["a", "b", "c"]),
        manifest("text-classification", [spec("tokens", "INT32", [-1, -1])], [spec("scores", "FP16", [-1, -1])]),
        manifest("tensor", [TEXTS], [spec("any", "BYTES", [-1, 2, -1])]),
    ],
)
def test_signatures_that_fit_are_taken(good: Manifest) -> None:
    check_task(good)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (manifest("ranking", [EVENT], [SCORES]), "one input at least of integers"),
        (manifest("ranking", [USER], [spec("scores", "FP32", [-1])]), r"shape \[-1, items\]"),
        (manifest("ranking", [USER], [spec("scores", "INT64", [-1, 3])]), "of floats"),
        (manifest("sequence-scoring", [EVENT, MEMORY], [SCORES, MEMORY_AFTER]), "declares none"),
        (manifest("sequence-scoring", [EVENT, USER, MEMORY], [SCORES, MEMORY_AFTER],
                  state=[StateSpec(input="memory", output="memory_after", shape=[5])]), r"'memory'.*\[-1, 5\]"),
        (manifest("sequence-scoring", [EVENT, MEMORY], [SCORES, spec("memory_after", "FP64", [-1, 4])], state=STATE),
         "of one datatype"),
        (manifest("sequence-scoring", [MEMORY], [MEMORY_AFTER], state=STATE), "an input for the event"),
        (manifest("tensor", [TEXTS], [LOUD], state=[StateSpec(input="texts", output="loud", shape=[])]), "is BYTES"),
        (manifest("tensor", [MEMORY], [MEMORY_AFTER], state=STATE * 2), "share a tensor: memory, memory"),
        (manifest("text-classification", [EVENT], [SCORES]), "first input is texts"),
        (manifest("text-classification", [spec("texts", "BYTES", [-1, 2])], [SCORES]), "first input is texts"),
        (manifest("text-classification", [TEXTS], [LOUD]), "first output is scores"),
        (manifest("text-classification", [TEXTS], [SCORES], labels=["a"]), "1 labels for an output of 3 classes"),
        (manifest("tensor", [TEXTS], [spec("any", "BYTES", [-1, -1, -1])]), "'any' of BYTES may have one free"),
    ],
)  # fmt: skip
def test_signatures_that_do_not_fit_say_what_the_task_needs(wrong: Manifest, words: str) -> None:
    with pytest.raises(InvalidManifest, match=words):
        check_task(wrong)
