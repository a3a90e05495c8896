"""What a pipeline does with a row, whatever the task and the form of its bytes."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec import Struct

from app.errors import GalleyError
from model_store.manifest import Manifest
from model_store.signature import SampleTensor
from workers.runner.assets import NO_ASSETS, Assets
from workers.runner.values import Part, Value


class PreparedRow(Struct, frozen=True):
    """One row of a call as a block of model inputs in the manifest's order, and what its answer needs besides.

    Each input has the batch first: one for a picture, as many as the caller sent for tensors.
    """

    inputs: tuple[Part, ...]
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

    def __init__(self, manifest: Manifest, limits: Limits, assets: Assets = NO_ASSETS) -> None:
        self.manifest = manifest
        self.limits = limits
        self.assets = assets

    @classmethod
    def serves(cls, manifest: Manifest) -> bool:  # noqa: ARG003 - for those that need more than the task
        """Say whether a model of this one's task has what the pipeline needs; else it is asked for tensors only."""
        return True

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


class SequencePipeline(Pipeline):
    """A pipeline whose rows may go on from what went before: each event of a sequence moves its state.

    The state is bytes that somebody else keeps. None stand for a sequence that begins.
    """

    def state_schema(self) -> str:
        """Return what the bytes of a state mean: a pipeline that reads them otherwise returns another string."""
        return msgspec.json.encode(self.manifest.state).decode()

    def answer_of(self, version: int, answer: bytes) -> bytes:  # noqa: ARG002 - for those whose answers can say it
        """Return an answer that another version gave to an event which came again, saying so where it can."""
        return answer

    @abstractmethod
    def resume(self, state: bytes, data: bytes, parameters: Any) -> PreparedRow:
        """Turn a sequence's next event, and the state it meets, into model inputs.

        :raises GalleyError: when the event is bad.
        """

    @abstractmethod
    def states(self, rows: Sequence[PreparedRow], outputs: Sequence[Value]) -> list[bytes]:
        """Return the state after each row that `resume` prepared, from the outputs that `encode` reads, too."""
