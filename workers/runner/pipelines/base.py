"""What a pipeline does with a row, whatever the task and the form of its bytes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from app.errors import GalleyError
from model_store.manifest import Manifest
from model_store.signature import SampleTensor
from workers.runner.values import Value


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """One row of a call as a block of model inputs in the manifest's order, and what its answer needs besides.

    Each input has the batch first: one for a picture, as many as the caller sent for tensors.
    """

    inputs: tuple[Value, ...]
    context: Any = None
    parameters: Any = None
    timeout_s: float = 0.0
    """How long the caller would let it wait, from its arrival; 0 for as long as its deadline allows."""

    @property
    def size(self) -> int:
        """How many rows of a batch it takes."""
        return self.inputs[0].shape[0]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A row made up by the pipeline that is to read it, and the parameters it comes with."""

    data: bytes
    parameters: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pipeline refuses."""

    max_image_pixels: int = 50_000_000


class Pipeline(ABC):
    """Decode and encode for one task or form. Methods may be called by several threads at once and keep no state.

    :raises InvalidManifest: on construction, when the manifest does not fit.
    """

    def __init__(self, manifest: Manifest, limits: Limits) -> None:
        self.manifest = manifest
        self.limits = limits

    @abstractmethod
    def read_parameters(self, raw: dict[str, Any]) -> Any:
        """Return a request's parameters, checked.

        :raises InputError: when they are wrong.
        """

    @abstractmethod
    def is_quick(self, data: bytes, parameters: Any) -> bool:
        """Say whether `prepare` surely takes less than handing the row to a thread: some tenths of a millisecond."""

    @abstractmethod
    def prepare(self, data: bytes, parameters: Any) -> PreparedRow:
        """Turn a row's bytes into model inputs.

        :raises GalleyError: when the row is bad.
        """

    @abstractmethod
    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes | GalleyError]:
        """Return the answer of each row, in order, from the outputs of all their blocks, joined in that order."""

    @abstractmethod
    def rehearsal(self, usual: Sequence[SampleTensor] = ()) -> Rehearsal:
        """Return a made-up row, to prove that the whole way works; `usual` are a stored sample's inputs, if any."""
