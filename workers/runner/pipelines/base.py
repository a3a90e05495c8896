"""What a task's pipeline does with a row, whatever the task."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from app.errors import GalleyError
from model_store.manifest import Manifest


@dataclass(frozen=True, slots=True)
class PreparedRow:
    """One row as tensors without the batch dimension, in the manifest's order, and what its answer needs besides."""

    inputs: tuple[Tensor, ...]
    context: Any = None
    parameters: Any = None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a pipeline refuses."""

    max_image_pixels: int = 50_000_000


class Pipeline(ABC):
    """Decode and encode for one task. Methods may be called by several threads at once and keep no state.

    :raises InvalidManifest: on construction, when the manifest does not fit the task.
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
    def is_quick(self, data: bytes) -> bool:
        """Say whether `prepare` surely takes less than handing the row to a thread: some tenths of a millisecond."""

    @abstractmethod
    def prepare(self, data: bytes, parameters: Any) -> PreparedRow:
        """Turn a row's bytes into tensors.

        :raises GalleyError: when the row is bad.
        """

    @abstractmethod
    def encode(self, rows: Sequence[PreparedRow], outputs: Sequence[Tensor]) -> list[bytes | GalleyError]:
        """Return the answer of each row, in order, from the outputs of their batch."""

    @abstractmethod
    def rehearsal(self) -> bytes:
        """Return the bytes of a made-up row, for the proof that the whole way works."""
