"""Whether an answer is the one that was expected, but for the last bits of its numbers."""

import math
from typing import Any

# A row's neighbours in its batch decide how the processor adds up.
SAME = 1e-4


def differences(told: Any, expected: Any, place: str = "answer") -> list[str]:
    """Return where two values are not the same, in words; nothing where they are."""
    if isinstance(told, dict) and isinstance(expected, dict):
        if told.keys() != expected.keys():
            return [f"{place} has {sorted(told)}, not {sorted(expected)}"]
        return [line for name in told for line in differences(told[name], expected[name], f"{place}.{name}")]
    if isinstance(told, list) and isinstance(expected, list):
        if len(told) != len(expected):
            return [f"{place} has {len(told)} items, not {len(expected)}"]
        pairs = enumerate(zip(told, expected, strict=True))
        return [line for n, (one, other) in pairs for line in differences(one, other, f"{place}[{n}]")]
    if isinstance(told, float) and isinstance(expected, float):
        return (
            [] if math.isclose(told, expected, abs_tol=SAME, rel_tol=SAME) else [f"{place} is {told}, not {expected}"]
        )

    return [] if told == expected else [f"{place} is {told!r}, not {expected!r}"]
