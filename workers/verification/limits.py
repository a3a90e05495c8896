"""What a model may take while it is verified."""

from dataclasses import dataclass
from typing import Self

from app.settings import Settings


@dataclass(frozen=True, kw_only=True)
class VerificationLimits:
    """Limits of one verification; each says which setting raises it."""

    memory_bytes: int
    """Address space beyond what the process has once torch is imported: VERIFICATION_MEMORY."""
    cpu_s: float
    """Processor time, all threads together: VERIFICATION_CPU_S."""
    wall_s: float
    """Time by the clock, from when the process has started: VERIFICATION_WALL_S."""
    max_image_pixels: int = 50_000_000
    """What the pipelines are told that runners refuse."""

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the limits that the settings say."""
        return cls(
            memory_bytes=settings.verification_memory,
            cpu_s=settings.verification_cpu_s,
            wall_s=settings.verification_wall_s,
            max_image_pixels=settings.max_image_pixels,
        )

    def too_much_memory(self) -> str:
        """Return the sentence for a model that met the memory limit."""
        size = f"{self.memory_bytes / 2**20:.0f} MiB"
        return f"The model took more memory than verification allows ({size}; VERIFICATION_MEMORY raises it)"

    def too_much_cpu(self) -> str:
        """Return the sentence for a model that met the processor time limit."""
        return f"The model took more than {self.cpu_s:g} s of processor time (VERIFICATION_CPU_S raises it)"

    def too_long(self) -> str:
        """Return the sentence for a model that met the wall clock limit."""
        return f"The model took more than {self.wall_s:g} s (VERIFICATION_WALL_S raises it)"
