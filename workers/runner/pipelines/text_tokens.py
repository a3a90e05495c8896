"""Texts as a model reads them that takes tokens: their bytes, one by one."""

from typing import Final

import numpy as np

from model_store.signature import numpy_dtype
from workers.runner.loaded_model import TORCH_DTYPES
from workers.runner.values import Packed

END: Final = 256
"""The token behind a text's last byte."""
PADDING: Final = -1
"""The token that fills a row up; it comes last."""

# Rows are as long as a power of two, so that those of about one length share a batch.
_SHORTEST: Final = 16


def to_tokens(text: bytes, *, is_last: bool, datatype: str = "INT16") -> Packed:
    """Return the next bytes of a text as a row of tokens [1, L], filled up."""
    length = 1 << (max(_SHORTEST, len(text) + is_last) - 1).bit_length()
    # Few operations of numpy take a third of the time that as many of torch do.
    tokens = np.full((1, length), PADDING, numpy_dtype(datatype))
    tokens[0, : len(text)] = np.frombuffer(text, np.uint8)
    if is_last:
        tokens[0, len(text)] = END
    return Packed(tokens.tobytes(), TORCH_DTYPES[datatype], tokens.shape)
