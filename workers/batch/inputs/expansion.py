"""How much larger than what was sent an input may become when it is unpacked."""

from typing import Final

from app.errors import InvalidInput

# Text shrinks to a tenth and tables to a hundredth; what shrinks to less was made to.
_MOST_RATIO: Final = 100
_ALWAYS_ALLOWED_BYTES: Final = 2**28


def check_expansion(unpacked_bytes: int, packed_bytes: int) -> None:
    """Refuse an input that unpacks to a multiple of itself which no honest one does.

    :raises InvalidInput: then.
    """
    limit_bytes = max(_ALWAYS_ALLOWED_BYTES, _MOST_RATIO * packed_bytes)
    if unpacked_bytes > limit_bytes:
        raise InvalidInput(f"The input unpacks to more than {limit_bytes} bytes, the most for its {packed_bytes}.")
