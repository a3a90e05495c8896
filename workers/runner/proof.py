"""READY means proven: what a version must show before it serves, and how fast it turned out to be.

The proof runs in the runner at each load, and in verification before a version gets its name.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from app.errors import GalleyError, InputError, InvalidManifest, ModelFailed, SampleMismatch, SignatureMismatch
from model_store.manifest import SAMPLES_FILE, Manifest, TensorSpec
from model_store.signature import Sample, SampleTensor, decode_samples, to_array
from workers.runner.assets import Assets
from workers.runner.device import use_torch_threads
from workers.runner.loaded_model import MODEL_ERRORS, TORCH_DTYPES, Layout, LoadedModel, check_tensor, last_line
from workers.runner.loader import check_files, load_model, read_manifest
from workers.runner.pipelines.base import Limits, Pipeline
from workers.runner.pipelines.registry import make_pipeline
from workers.runner.values import Strings, Value, joined, kind, sliced, turned

logger = logging.getLogger(__name__)

# Sums in another order (threads, batch, layout) differ in the last bits; a wrong weight differs in the first digits.
RELATIVE_TOLERANCE = 1e-3
ABSOLUTE_TOLERANCE = 1e-4
# A larger batch must bring this much more speed to be worth its latency.
WORTHWHILE = 1.05
# Below this per row the layout is not worth a second load.
_LAYOUT_MATTERS_S = 0.002


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What the proof measured, with one torch thread: seconds per forward of each batch size that was run."""

    seconds: dict[int, float]
    is_batch_safe: bool
    """False when rows answer otherwise in a batch than alone: such a model is run row by row."""
    prepare_s: float = 0.0
    """Seconds to decode and preprocess the rehearsal row."""
    best_batch: int = field(init=False)
    """The smallest batch that is about as fast per row as any."""
    rows_per_s: float = field(init=False)
    """Rows per second in batches of that size, on one thread, without decoding."""

    def __post_init__(self) -> None:
        best = min(self.seconds)
        for size in sorted(self.seconds):
            if size / self.seconds[size] > WORTHWHILE * best / self.seconds[best]:
                best = size
        object.__setattr__(self, "best_batch", best)
        object.__setattr__(self, "rows_per_s", best / self.seconds[best])


@dataclass(frozen=True)
class ProofStep:
    """What the proof does next, in words, and the size of the batch that it runs, if it does."""

    name: str
    batch_size: int = 0


Follow = Callable[[ProofStep], None]
OnOpened = Callable[[LoadedModel], None]


def follow_not(_step: ProofStep) -> None:
    """Let a step pass by: a runner says only how its load ended."""


def pass_by(_model: LoadedModel) -> None:
    """Let a model that was opened be run as it is."""


def load_and_prove(
    folder: Path,
    *,
    digest: str = "",
    limits: Limits | None = None,
    budget_s: float = 5.0,
    on_opened: OnOpened = pass_by,
) -> tuple[LoadedModel, Proof]:
    """Load the version in `folder` and prove it: hashes, signature, samples, preprocessing, batches 1, 2, 4 … max.

    Sets the calling thread's torch threads to one. Growing batches stop when the budget would be passed. `on_opened`
    gets the model before it is run for the first time.

    :raises StoreError: the first thing that is wrong.
    """
    manifest = read_manifest(folder, digest=digest)
    check_files(folder, manifest)
    return prove(folder, manifest, limits=limits or Limits(), budget_s=budget_s, on_opened=on_opened)


def prove(
    folder: Path,
    manifest: Manifest,
    *,
    limits: Limits,
    budget_s: float,
    follow: Follow = follow_not,
    on_opened: OnOpened = pass_by,
) -> tuple[LoadedModel, Proof]:
    """Load the artifact in `folder` and prove that it is what `manifest` says; `follow` hears of each step first.

    :raises StoreError: the first thing that is wrong.
    """
    use_torch_threads(1)
    follow(ProofStep("loading the artifact"))
    model = load_model(folder, manifest)
    on_opened(model)
    follow(ProofStep("replaying the samples"))
    samples = _read_samples(folder)
    _check_samples(model, samples)
    follow(ProofStep("running a made-up row"))
    inputs, prepare_s = _rehearse(make_pipeline(manifest, limits, Assets.of(folder, manifest)), samples)
    model = _in_faster_layout(model, inputs, folder)
    seconds, is_batch_safe = _measure(model, inputs, budget_s=budget_s, follow=follow)
    return model, Proof(seconds=seconds, is_batch_safe=is_batch_safe, prepare_s=prepare_s)


def _read_samples(folder: Path) -> list[Sample]:
    path = folder / SAMPLES_FILE
    return decode_samples(path.read_bytes()) if path.is_file() else []


def _check_samples(model: LoadedModel, samples: list[Sample]) -> None:
    for number, sample in enumerate(samples, 1):
        actual = _forward(model, [sample_value(tensor) for tensor in _named(sample.inputs, model.manifest.inputs)])
        if not sample.outputs:
            # Given for its inputs: a signature is derived from them.
            continue
        expected = [sample_value(tensor) for tensor in _named(sample.outputs, model.manifest.outputs)]
        for spec, want, got in zip(model.manifest.outputs, expected, actual, strict=True):
            _check_close(want, got, f"Sample {number}, output {spec.name!r}")


def _named(tensors: Sequence[SampleTensor], specs: Sequence[TensorSpec]) -> list[SampleTensor]:
    by_name = {tensor.name: tensor for tensor in tensors}
    missing = [spec.name for spec in specs if spec.name not in by_name]
    if missing:
        raise SignatureMismatch(f"A sample lacks the tensor {missing[0]!r}.")

    return [by_name[spec.name] for spec in specs]


def sample_value(sample: SampleTensor) -> Value:
    """Return a stored tensor as a model takes it.

    :raises SignatureMismatch: when its elements are not of its datatype.
    """
    array = to_array(sample)
    if sample.datatype == "BYTES":
        return Strings(array.ravel().tolist(), array.shape)

    return torch.from_numpy(array).to(TORCH_DTYPES[sample.datatype])


def _check_close(want: Value, got: Value, what: str) -> None:
    if tuple(want.shape) != tuple(got.shape) or kind(want) != kind(got):
        raise SampleMismatch(f"{what}: stored {kind(want)} {list(want.shape)}, got {kind(got)} {list(got.shape)}.")
    if not is_close(want, got):
        raise SampleMismatch(f"{what}: the model does not give the stored values.")


def is_close(want: Value, got: Value) -> bool:
    """Say whether two outputs are equal but for rounding, which grows with their largest value."""
    if isinstance(want, Strings) or isinstance(got, Strings):
        return want == got
    if not want.is_floating_point():
        return torch.equal(want, got)

    left, right = want.double().numpy(), got.double().numpy()
    # Masked scores are infinite, and would make every difference small.
    scale = max(1.0, float(np.abs(left[np.isfinite(left)]).max(initial=0.0)))
    return np.allclose(left, right, rtol=RELATIVE_TOLERANCE, atol=ABSOLUTE_TOLERANCE * scale, equal_nan=True)


def _rehearse(pipeline: Pipeline, samples: list[Sample]) -> tuple[list[Value], float]:
    """Send a made-up row through the pipeline; return one row's inputs and the seconds it took."""
    rehearsal = pipeline.rehearsal(samples[0].inputs if samples else ())
    parameters = pipeline.read_parameters(rehearsal.parameters)
    try:
        # Twice: the first time pays for what is set up once.
        pipeline.prepare(rehearsal.data, parameters)
        started = time.perf_counter()
        row = pipeline.prepare(rehearsal.data, parameters)
        took = time.perf_counter() - started
    except (InputError, ModelFailed) as err:
        raise SignatureMismatch(err.detail) from err
    except MODEL_ERRORS as err:
        # Steps that are fine one by one, but not in this order or on this picture.
        raise InvalidManifest(f"The preprocessing does not run: {last_line(err)}") from err

    values = [joined([part]) for part in row.inputs]
    for spec, value in zip(pipeline.manifest.inputs, values, strict=True):
        check_tensor(spec, value)
    return values, took


def _in_faster_layout(model: LoadedModel, row: list[Value], folder: Path) -> LoadedModel:
    """Return the model with the memory layout that is faster for it, if that gives the same answers."""
    alone = _forward(model, row)
    planes_s = _fastest(model, row)
    if planes_s < _LAYOUT_MATTERS_S:
        return model

    other = load_model(folder, model.manifest, layout=Layout.PIXELS)
    # Code that calls view() on what a convolution gives raises in this layout.
    if not _answers_same(other, row, alone) or _fastest(other, row) * WORTHWHILE > planes_s:
        return model
    return other


def _answers_same(model: LoadedModel, inputs: list[Value], first: list[Value]) -> bool:
    """Say whether the first row of the answer is `first`."""
    try:
        answer = model.forward(inputs)
    except GalleyError as err:
        logger.info("%s does not run so: %s", model.manifest.name, err.detail)
        return False

    return all(is_close(want, sliced(got, 0, want.shape[0])) for want, got in zip(first, answer, strict=True))


def _measure(model: LoadedModel, row: list[Value], *, budget_s: float, follow: Follow) -> tuple[dict[int, float], bool]:
    """Run growing batches of rows that differ; return seconds per batch size and whether rows kept their answers."""
    until = time.perf_counter() + budget_s
    follow(ProofStep("running a batch of 1", 1))
    alone = _forward(model, row)
    seconds = {1: _fastest(model, row)}
    for size in _sizes(model.manifest.max_batch_size):
        expected_s = 3 * size * seconds[max(seconds)] / max(seconds)
        if time.perf_counter() + expected_s > until:
            break
        follow(ProofStep(f"running a batch of {size}", size))
        batch = _batch(row, size)
        if not _answers_same(model, batch, alone):
            return seconds, len(seconds) > 1
        seconds[size] = _fastest(model, batch)

    return seconds, True


def _sizes(most: int) -> list[int]:
    powers = [2**power for power in range(1, most.bit_length()) if 2**power < most]
    return [*powers, most] if most > 1 else []


def _batch(row: list[Value], size: int) -> list[Value]:
    """Repeat a row; all but the first are turned round, so that rows that get mixed up show."""
    return [joined([value, *([turned(value)] * (size - 1))]) for value in row]


def _fastest(model: LoadedModel, inputs: list[Value]) -> float:
    """Return the shorter of two runs; TorchScript compiles in the first ones."""
    times = []
    for _ in range(2):
        started = time.perf_counter()
        model.forward(inputs)
        times.append(time.perf_counter() - started)
    return min(times)


def _forward(model: LoadedModel, inputs: list[Value]) -> list[Value]:
    try:
        return model.forward(inputs)
    except ModelFailed as err:
        raise SignatureMismatch(err.detail) from err
