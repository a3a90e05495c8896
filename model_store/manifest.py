"""What a model version says of itself: the manifest, its defaults and its own consistency."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from app.errors import InvalidManifest, InvalidName
from model_store.model_ref import check_file_name, check_model_name

MANIFEST_FILE = "manifest.json"
SAMPLES_FILE = "samples.json"
ARTIFACT_FILE = "model.pt"
# Of a manifest that does not say; verification takes it down to 1 for a model that cannot batch.
DEFAULT_BATCH_SIZE = 32
# Inputs, and outputs: more than any model has, and few enough to go through one by one.
MOST_TENSORS = 1000

Datatype = Literal[
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "BF16", "FP32", "FP64", "BYTES",
]  # fmt: skip
Task = Literal["image-classification", "ranking", "sequence-scoring", "text-classification", "tensor"]
Execution = Literal["online", "heavy"]
Dimension = Annotated[int, Meta(ge=-1)]
Sha256 = Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


class TensorSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One input or output: its name, its OIP datatype, its shape with the batch first and -1 for free."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    datatype: Datatype
    shape: Annotated[list[Dimension], Meta(min_length=1, max_length=8)]


class StateSpec(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One piece of state that a sequence keeps between calls: which input reads it, which output writes it."""

    input: str
    output: str
    shape: list[Annotated[int, Meta(ge=1)]]
    init: float = 0.0


class FileEntry(Struct, frozen=True, kw_only=True):
    """One file of the version: its SHA-256 in hex and its size."""

    sha256: Sha256
    size_bytes: Annotated[int, Meta(ge=0)]


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One preprocessing step: the name of an operation and its arguments."""

    op: str
    args: dict[str, Any] = field(default_factory=dict)


class Preprocessing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How decoded input becomes a tensor: the colour mode to decode to, then the steps in order."""

    mode: Literal["RGB", "L"] = "RGB"
    steps: list[Step] = field(default_factory=list)


class Postprocessing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the first output becomes scores."""

    activation: Literal["softmax", "sigmoid", "none"] = "softmax"


class Ranking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which assets say what a ranking model's rows and columns are; without it, the model is asked for tensors only.

    `users` is a .npy file of int64: the id of the user in each row of the model. `items` is one of the item in each
    column of the scores; `titles` a JSON list of their titles, if there are any.
    """

    users: str
    items: str
    titles: str | None = None
    cold_row: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """The row that scores for users the model does not know."""


class Scoring(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a sequence scoring model for fraud reads and says; without it, the model is asked for tensors only.

    `features` name the columns of its only input besides state. Its first output besides state is the score, from 0 to
    1; the second, if there are `reasons`, says by how much each of those moved it. `merchant_risk` is a JSON file:
    `{"usual": share, "merchants": {id: share}}`.
    """

    features: Annotated[list[str], Meta(min_length=1)]
    reasons: list[str] = field(default_factory=list)
    merchant_risk: str | None = None
    review_at: Annotated[float, Meta(ge=0)]
    """The score from which on somebody should look at a payment."""
    decline_at: Annotated[float, Meta(ge=0)]


class Caching(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether answers may be kept for whoever asks the same again; `per_client` keeps each client's apart."""

    enabled: bool = True
    per_client: bool = False


class MeasuredBatch(Struct, frozen=True, kw_only=True):
    """One batch size as verification ran it, with one torch thread."""

    batch_size: Annotated[int, Meta(ge=1)]
    seconds: float
    memory_bytes: int = 0
    """What running it added to the resident memory at its peak."""


class Measured(Struct, frozen=True, kw_only=True):
    """What verification found out, and the batch sizes it ran."""

    load_s: float
    memory_bytes: int
    """What loading the model and running it once added to the resident memory."""
    is_batch_safe: bool
    batches: list[MeasuredBatch] = field(default_factory=list)


class Manifest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The manifest of one version, or a draft of it, which may lack inputs and outputs.

    `inputs` are in the order of forward's parameters, `outputs` in the order of what it returns.
    `measured` is filled by verification, `files` by the publisher: it covers every file but the manifest itself.
    `job` is the id of the job that published the version: one that is run again finds by it what it did before.
    """

    inputs: list[TensorSpec] = field(default_factory=list)
    outputs: list[TensorSpec] = field(default_factory=list)
    max_batch_size: Annotated[int, Meta(ge=1, le=4096)] = DEFAULT_BATCH_SIZE
    name: str = ""
    version: int = 0
    format: Literal["torchscript"] = "torchscript"
    task: Task = "tensor"
    execution: Execution = "online"
    preprocessing: Preprocessing = field(default_factory=Preprocessing)
    postprocessing: Postprocessing = field(default_factory=Postprocessing)
    labels: list[str] = field(default_factory=list)
    state: list[StateSpec] = field(default_factory=list)
    ranking: Ranking | None = None
    scoring: Scoring | None = None
    cache: Caching = field(default_factory=Caching)
    description: str = ""
    metrics: dict[str, float] = field(default_factory=dict)
    created_at: str = ""
    job: str = ""
    measured: Measured | None = None
    files: dict[str, FileEntry] = field(default_factory=dict)

    @property
    def is_batched(self) -> bool:
        """Whether the first dimension of every tensor is free: the batch."""
        return all(spec.shape[0] == -1 for spec in (*self.inputs, *self.outputs))


def decode_manifest(data: bytes) -> Manifest:
    """Read a version's manifest from JSON and check that it is complete and does not contradict itself.

    :raises InvalidManifest: saying which field is wrong.
    """
    return check_complete(check_manifest(_decode(data)))


def decode_draft(data: bytes) -> Manifest:
    """Read the manifest that somebody wrote for a version to be: inputs and outputs may be left out.

    What only Galley can say (`measured`, `created_at`, `job`) is dropped, so that the manifest of a published version
    is a good draft of the next. `files` stay: they are hashes that the files have to have.

    :raises InvalidManifest: saying which field is wrong.
    """
    manifest = _decode(data)
    return check_manifest(msgspec.structs.replace(manifest, measured=None, created_at="", job=""))


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as indented JSON, fields in declaration order."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=2) + b"\n"


def check_manifest(manifest: Manifest) -> Manifest:
    """Return the manifest if its parts fit together.

    :raises InvalidManifest: naming the first that does not.
    """
    try:
        if manifest.name:
            check_model_name(manifest.name)
        for path in manifest.files:
            check_file_name(path)
    except InvalidName as err:
        raise InvalidManifest(err.detail) from err

    for kind, specs in (("input", manifest.inputs), ("output", manifest.outputs)):
        names = [spec.name for spec in specs]
        if len(names) > MOST_TENSORS:
            raise InvalidManifest(f"There are {len(names)} {kind}s; {MOST_TENSORS} is the limit.")
        if len(set(names)) != len(names):
            raise InvalidManifest(f"Two {kind}s have the same name: {', '.join(names)}.")
    if manifest.ranking is not None and manifest.task != "ranking":
        raise InvalidManifest(f"The manifest has 'ranking', which is of the task 'ranking', not of {manifest.task!r}.")
    if manifest.scoring is not None and manifest.task != "sequence-scoring":
        raise InvalidManifest(
            f"The manifest has 'scoring', which is of the task 'sequence-scoring', not of {manifest.task!r}."
        )
    _check_state(manifest)
    return manifest


def check_complete(manifest: Manifest) -> Manifest:
    """Return the manifest if it can be a published version's: it says what goes in and what comes out.

    :raises InvalidManifest: when it does not.
    """
    for kind, specs in (("inputs", manifest.inputs), ("outputs", manifest.outputs)):
        if not specs:
            raise InvalidManifest(f"The manifest has no {kind}.")

    return manifest


def _decode(data: bytes) -> Manifest:
    try:
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as err:
        raise InvalidManifest(f"The manifest cannot be read: {err}.") from err


def _check_state(manifest: Manifest) -> None:
    if not manifest.inputs or not manifest.outputs:
        return

    inputs = {spec.name for spec in manifest.inputs}
    outputs = {spec.name for spec in manifest.outputs}
    for state in manifest.state:
        if state.input not in inputs or state.output not in outputs:
            raise InvalidManifest(f"State {state.input!r} → {state.output!r} names tensors the signature lacks.")
