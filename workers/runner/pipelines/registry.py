"""Which pipeline reads which rows: every module beside this one is imported, and registers what it brings."""

import importlib
import pkgutil
from collections.abc import Callable

from app.inference.messages import Form
from model_store.manifest import Manifest, Task
from workers.runner import pipelines
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.pipelines.base import Limits, Pipeline
from workers.runner.pipelines.task_signatures import check_task

_by_task: dict[str, type[Pipeline]] = {}
_for_all: dict[Form, type[Pipeline]] = {}


def register(task: Task) -> Callable[[type[Pipeline]], type[Pipeline]]:
    """Make the decorated class the pipeline of `task`: it reads what that scenario's callers send."""

    def add(pipeline: type[Pipeline]) -> type[Pipeline]:
        _by_task[task] = pipeline
        return pipeline

    return add


def register_for_all(form: Form) -> Callable[[type[Pipeline]], type[Pipeline]]:
    """Make the decorated class read the rows of `form`, whatever the model's task."""

    def add(pipeline: type[Pipeline]) -> type[Pipeline]:
        _for_all[form] = pipeline
        return pipeline

    return add


def make_pipelines(manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> dict[Form, Pipeline]:
    """Return the pipeline of each form that the model can be asked in.

    A task that no pipeline is registered for has no scenario: such a model is asked for tensors only.

    :raises InvalidManifest: when the manifest does not fit its task, or an asset does not fit the manifest.
    """
    check_task(manifest)
    made = {form: pipeline(manifest, limits, assets) for form, pipeline in _for_all.items()}
    scenario = _by_task.get(manifest.task)
    if scenario is not None and scenario.serves(manifest):
        made[Form.SCENARIO] = scenario(manifest, limits, assets)
    return made


def make_pipeline(manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> Pipeline:
    """Return the pipeline that the model is rehearsed with: its scenario's, or that of tensors where there is none.

    :raises InvalidManifest: as `make_pipelines` does.
    """
    made = make_pipelines(manifest, limits, assets)
    return made.get(Form.SCENARIO, made[Form.TENSORS])


# Below the definitions: the modules import the decorators from here.
for _module in pkgutil.iter_modules(pipelines.__path__, f"{pipelines.__name__}."):
    if _module.name != __name__:
        importlib.import_module(_module.name)
