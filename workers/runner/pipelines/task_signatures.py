"""What each task asks of a model's signature, beyond what its pipeline checks: one row of a table per task."""

from collections.abc import Callable

from app.errors import InvalidManifest
from model_store.manifest import Manifest, TensorSpec

INTEGERS = frozenset({"UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"})
FLOATS = frozenset({"FP16", "BF16", "FP32", "FP64"})


def check_task(manifest: Manifest) -> None:
    """Check that the signature fits the manifest's task.

    :raises InvalidManifest: saying what the task needs.
    """
    _check_strings(manifest)
    _check_state(manifest)
    check = _CHECKS.get(manifest.task)
    if check is not None:
        check(manifest)


def _check_strings(manifest: Manifest) -> None:
    """TorchScript gives BYTES as a flat list, whose length tells one free dimension besides the batch, not two."""
    for spec in manifest.outputs:
        if spec.datatype == "BYTES" and spec.shape[1:].count(-1) > 1:
            raise InvalidManifest(f"Output {spec.name!r} of BYTES may have one free dimension besides the batch.")


def _check_ranking(manifest: Manifest) -> None:
    if not any(spec.datatype in INTEGERS for spec in manifest.inputs):
        raise InvalidManifest("A ranking model takes the indices of users or items: one input at least of integers.")
    if not _is_scores(manifest.outputs[0]):
        raise InvalidManifest("A ranking model's first output is scores, of floats and shape [-1, items].")


def _check_state(manifest: Manifest) -> None:
    """Check that each piece of state goes out as it came in, so that it can be carried from call to call."""
    inputs = {spec.name: spec for spec in manifest.inputs}
    outputs = {spec.name: spec for spec in manifest.outputs}
    for state in manifest.state:
        before, after = inputs[state.input], outputs[state.output]
        wanted = [-1, *state.shape]
        if before.shape != wanted or after.shape != wanted or before.datatype != after.datatype:
            raise InvalidManifest(
                f"State {state.input!r} → {state.output!r} of shape {state.shape} needs an input and an output of "
                f"shape {wanted} and of one datatype."
            )
        if before.datatype == "BYTES":
            raise InvalidManifest(
                f"State {state.input!r} is BYTES, which have no fixed size; state is numbers or BOOL."
            )
    for names in zip(*((state.input, state.output) for state in manifest.state), strict=True):
        if len(set(names)) < len(names):
            raise InvalidManifest(f"Two pieces of state share a tensor: {', '.join(names)}.")


def _check_sequence_scoring(manifest: Manifest) -> None:
    if not manifest.state:
        raise InvalidManifest("A sequence scoring model keeps state; the manifest declares none in 'state'.")
    if len(manifest.state) in (len(manifest.inputs), len(manifest.outputs)):
        raise InvalidManifest("A sequence scoring model has an input for the event and an output for its score.")


def _check_text_classification(manifest: Manifest) -> None:
    text = manifest.inputs[0]
    is_text = text.datatype == "BYTES" and text.shape == [-1]
    is_tokens = text.datatype in INTEGERS and len(text.shape) == 2
    if not is_text and not is_tokens:
        raise InvalidManifest(
            "A text classifier's first input is texts, BYTES of shape [-1], or tokens, integers of shape [-1, length]."
        )
    scores = manifest.outputs[0]
    if not _is_scores(scores):
        raise InvalidManifest("A text classifier's first output is scores, of floats and shape [-1, classes].")
    if manifest.labels and scores.shape[1] not in (-1, len(manifest.labels)):
        raise InvalidManifest(
            f"The manifest has {len(manifest.labels)} labels for an output of {scores.shape[1]} classes."
        )


def _is_scores(spec: TensorSpec) -> bool:
    return spec.datatype in FLOATS and len(spec.shape) == 2


_CHECKS: dict[str, Callable[[Manifest], None]] = {
    "ranking": _check_ranking,
    "sequence-scoring": _check_sequence_scoring,
    "text-classification": _check_text_classification,
}
