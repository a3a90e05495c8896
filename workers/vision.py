"""torchvision, importable also where its compiled operators do not load; the one place that imports it.

The wheels of PyPI are built against CUDA's torch. Beside a CPU-only torch their library does not load, and
importing torchvision then fails on two operators that no classifier uses. Their schemas alone mend that.
"""

import importlib.util
from pathlib import Path

import torch

_MISSING_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)


def _loads_compiled_operators() -> bool:
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return False

    try:
        for library in Path(spec.origin).parent.glob("_C*.so"):
            torch.ops.load_library(library)  # type: ignore[no-untyped-call]
            return True
    except OSError:
        return False
    return False


if not _loads_compiled_operators():
    # Kept as long as the process: a library that is collected takes its schemas with it.
    _schemas = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for _schema in _MISSING_SCHEMAS:
        _schemas.define(_schema)  # type: ignore[no-untyped-call]

from torchvision import models, tv_tensors  # noqa: E402
from torchvision.transforms import v2 as transforms  # noqa: E402

__all__ = ["models", "transforms", "tv_tensors"]
