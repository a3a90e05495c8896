"""How long a version that is not ready will take to load."""

import time
from collections.abc import Callable
from typing import Final

from app.errors import ModelLoading
from app.inference.directory_reader import DirectoryReader
from app.inference.messages import RunnerState
from model_store.model_ref import ModelRef

# When neither an earlier load nor verification measured one.
USUAL_LOAD_S: Final = 3.0
SHORTEST_S: Final = 1.0


def unmeasured(_ref: ModelRef) -> float:
    """Know of no measurement."""
    return 0.0


class LoadEstimate:
    """Estimates from what earlier loads took, else from what `measured` returns: seconds, 0 for unknown."""

    def __init__(self, directory: DirectoryReader, measured: Callable[[ModelRef], float] = unmeasured) -> None:
        self._directory = directory
        self._measured = measured

    def remaining_s(self, ref: ModelRef) -> float:
        """Return the seconds until a version may be READY; never less than one."""
        usual_s = self._directory.load_s(ref) or self._measured(ref) or USUAL_LOAD_S
        loading = [each for each in self._directory.runners(ref) if each.state is RunnerState.LOADING]
        if not loading:
            return usual_s

        elapsed_s = time.time() - min(each.started_at for each in loading)
        return max(SHORTEST_S, usual_s - elapsed_s)

    def refusal(self, ref: ModelRef) -> ModelLoading:
        """Return what to tell who cannot wait any longer for a version."""
        reason = self._directory.why_held_back(ref)
        detail = f"{ref} is not loaded. {reason}" if reason else f"{ref} is being loaded. No runner of it is ready yet."
        return ModelLoading(detail, retry_after_s=self.remaining_s(ref))
