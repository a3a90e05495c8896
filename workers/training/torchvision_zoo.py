"""Drafts of torchvision's classifiers: scripted, with their own transforms as data and their own class names."""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import StoreError, UnavailableError, UnloadableArtifact
from model_store.manifest import Manifest, Preprocessing, Step, TensorSpec
from model_store.publisher import VersionDraft
from model_store.signature import Sample, encode_samples, from_array
from workers.training.progress import Report
from workers.vision import models

RANDOM_WEIGHTS = "none"
# Sample inputs are eighths from -2 to 2: exact in float32, and short in JSON.
SAMPLE_LEVELS = 16
SAMPLE_DIVISOR = 8.0
# What torch raises on bytes that are no checkpoint: its unpickler runs on whatever it finds.
UNPICKLING_ERRORS = (
    OSError, RuntimeError, EOFError, ValueError, TypeError, LookupError, AttributeError, pickle.UnpicklingError,
)  # fmt: skip
# Where a checkpoint of a training script keeps the state dict.
STATE_DICT_KEYS = ("state_dict", "model")

# These two are trained with auxiliary heads, which serving has no use for, on inputs scaled as TensorFlow does.
_INCEPTION_OPTIONS = {"aux_logits": False, "transform_input": True, "init_weights": False}
_OPTIONS: dict[str, dict[str, Any]] = {"googlenet": _INCEPTION_OPTIONS, "inception_v3": _INCEPTION_OPTIONS}
_AUXILIARY_HEADS = ("aux1.", "aux2.", "AuxLogits.")


@dataclass(frozen=True, kw_only=True)
class ZooModel:
    """A torchvision classifier to import.

    `weights` is a name of torchvision's (`DEFAULT`), `none` for random ones, or the path of a state dict.
    `labels` replaces the class names; by default they are those of the weights, or ImageNet's if there are as many.
    """

    architecture: str
    weights: str
    name: str
    version: int | None = None
    labels: list[str] | None = None
    max_batch_size: int = 32
    seed: int = 0


class MainHead(nn.Module):
    """GoogLeNet or Inception without their auxiliary outputs, which their forward, once scripted, always answers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits."""
        return self.model._forward(self.model._transform_input(images))[0]  # type: ignore[no-any-return]


def architectures() -> list[str]:
    """Return the names of all classifiers there are."""
    return list(models.list_models(module=models))


def draft_from_zoo(wanted: ZooModel, work_dir: Path, *, report: Report) -> VersionDraft:
    """Build, script and sample a classifier; its artifact is written to `work_dir`.

    :raises StoreError: for an architecture or weights there are not, or a state dict that does not fit.
    :raises UnavailableError: when the weights cannot be downloaded.
    """
    if wanted.architecture not in architectures():
        raise StoreError(f"torchvision has no classifier {wanted.architecture!r}; it has {', '.join(architectures())}.")

    report(f"{wanted.name}: building {wanted.architecture} with weights {wanted.weights}")
    catalog = models.get_model_weights(wanted.architecture)
    weights = catalog.__members__.get(wanted.weights)
    facts = weights or catalog.DEFAULT
    model = (_download(wanted, weights) if weights else _build(wanted, facts)).eval()

    images = _sample_images(facts, wanted.seed)
    report(f"{wanted.name}: computing a sample")
    with torch.inference_mode():
        logits = model(images)
    report(f"{wanted.name}: scripting")
    artifact = work_dir / f"{wanted.architecture}.pt"
    torch.jit.save(_script(model), artifact)
    return VersionDraft(
        name=wanted.name,
        version=wanted.version,
        manifest=_manifest(wanted, facts, images, logits),
        artifact=artifact,
        samples=_samples(images, logits),
    )


def _download(wanted: ZooModel, weights: Any) -> nn.Module:
    try:
        return models.get_model(wanted.architecture, weights=weights)  # type: ignore[no-any-return]
    except (OSError, RuntimeError) as err:
        # RuntimeError: the file that came has another hash than its name says.
        raise UnavailableError(
            f"The weights of {wanted.architecture} could not be downloaded: {err}. "
            "Where there is no internet, give a state dict file: --weights PATH."
        ) from err


def _build(wanted: ZooModel, facts: Any) -> nn.Module:
    options = dict(_OPTIONS.get(wanted.architecture, {}))
    if wanted.architecture.startswith("vit_"):
        options["image_size"] = _side(facts)
    if wanted.weights == RANDOM_WEIGHTS:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(wanted.seed)
            return models.get_model(wanted.architecture, weights=None, **options)  # type: ignore[no-any-return]

    state = _read_state_dict(wanted)
    model = models.get_model(wanted.architecture, weights=None, num_classes=_count_classes(state), **options)
    try:
        model.load_state_dict(state)
    except RuntimeError as err:
        raise UnloadableArtifact(f"The state dict does not fit {wanted.architecture}: {err}") from err

    return model  # type: ignore[no-any-return]


def _read_state_dict(wanted: ZooModel) -> dict[str, Tensor]:
    path = Path(wanted.weights)
    if not path.is_file():
        names = ", ".join(models.get_model_weights(wanted.architecture).__members__)
        raise StoreError(f"{wanted.weights!r} is no file, and neither 'none' nor one of torchvision's: {names}.")

    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except UNPICKLING_ERRORS as err:
        raise UnloadableArtifact(f"{path.name} cannot be read as a state dict: {type(err).__name__}.") from err

    for key in STATE_DICT_KEYS:
        state = state.get(key, state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not state or not all(isinstance(value, Tensor) for value in state.values()):
        raise UnloadableArtifact(f"{path.name} is not a state dict: a dict of tensors by name.")

    return {name: value for name, value in state.items() if not name.startswith(_AUXILIARY_HEADS)}


def _count_classes(state: dict[str, Tensor]) -> int:
    """Return the width of the last layer: every classifier here ends in a linear layer or a 1×1 convolution."""
    weights = [value for name, value in state.items() if name.endswith(".weight") and value.dim() > 1]
    if not weights:
        raise UnloadableArtifact("The state dict has no layer whose width could be the number of classes.")

    return weights[-1].shape[0]


def _script(model: nn.Module) -> torch.jit.ScriptModule:
    has_more_heads = isinstance(model, models.GoogLeNet | models.Inception3)
    return torch.jit.script(MainHead(model) if has_more_heads else model)


def _side(facts: Any) -> int:
    side: int = facts.transforms().crop_size[0]
    return side


def _sample_images(facts: Any, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (1, 3, _side(facts), _side(facts))
    return torch.randint(-SAMPLE_LEVELS, SAMPLE_LEVELS + 1, shape, generator=generator) / SAMPLE_DIVISOR


def _samples(images: Tensor, logits: Tensor) -> bytes:
    inputs = [from_array("image", "FP32", images.numpy())]
    outputs = [from_array("logits", "FP32", logits.numpy())]
    return encode_samples([Sample(inputs=inputs, outputs=outputs)])


def _manifest(wanted: ZooModel, facts: Any, images: Tensor, logits: Tensor) -> Manifest:
    classes = logits.shape[1]
    labels = wanted.labels if wanted.labels is not None else facts.meta["categories"] or []
    is_trained = wanted.weights in type(facts).__members__
    return Manifest(
        inputs=[TensorSpec(name="image", datatype="FP32", shape=[-1, *images.shape[1:]])],
        outputs=[TensorSpec(name="logits", datatype="FP32", shape=[-1, classes])],
        max_batch_size=wanted.max_batch_size,
        task="image-classification",
        preprocessing=Preprocessing(mode="RGB", steps=preset_steps(facts.transforms())),
        labels=list(labels) if wanted.labels is not None or len(labels) == classes else [],
        description=f"{wanted.architecture} of torchvision, weights: {Path(wanted.weights).name}",
        metrics=_metrics(facts) if is_trained else {},
    )


def preset_steps(preset: Any) -> list[Step]:
    """Write torchvision's preset for classification as manifest steps, in the order in which it applies them."""
    resize = {
        "size": preset.resize_size,
        "interpolation": preset.interpolation.value,
        "antialias": bool(preset.antialias),
    }
    return [
        Step(op="resize", args=resize),
        Step(op="center_crop", args={"size": preset.crop_size * 2}),
        Step(op="to_image"),
        Step(op="to_dtype", args={"dtype": "float32", "scale": True}),
        Step(op="normalize", args={"mean": preset.mean, "std": preset.std}),
    ]


def _metrics(weights: Any) -> dict[str, float]:
    """Return the accuracies that torchvision measured, by data set and name."""
    measured = weights.meta["_metrics"]
    return {f"{data} {name}": float(value) for data, values in measured.items() for name, value in values.items()}
