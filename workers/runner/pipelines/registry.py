"""Which pipeline does which task: every module beside this one is imported, and registers what it brings."""

import importlib
import pkgutil
from collections.abc import Callable

from app.errors import InvalidManifest
from model_store.manifest import Manifest, Task
from workers.runner import pipelines
from workers.runner.pipelines.base import Limits, Pipeline

_by_task: dict[str, type[Pipeline]] = {}


def register(task: Task) -> Callable[[type[Pipeline]], type[Pipeline]]:
    """Make the decorated class the pipeline of `task`."""

    def add(pipeline: type[Pipeline]) -> type[Pipeline]:
        _by_task[task] = pipeline
        return pipeline

    return add


def make_pipeline(manifest: Manifest, limits: Limits) -> Pipeline:
    """Return the pipeline of the manifest's task.

    :raises InvalidManifest: when no pipeline does the task, or the manifest does not fit it.
    """
    if manifest.task not in _by_task:
        raise InvalidManifest(f"No pipeline does {manifest.task!r} yet; there are: {', '.join(sorted(_by_task))}.")

    return _by_task[manifest.task](manifest, limits)


# Below the definitions: the modules import `register` from here.
for _module in pkgutil.iter_modules(pipelines.__path__, f"{pipelines.__name__}."):
    if _module.name != __name__:
        importlib.import_module(_module.name)
