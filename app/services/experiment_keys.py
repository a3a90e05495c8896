"""Names of the Redis keys of experiments: what was counted of a route's revision, and who got which variant.

All begin with PREFIX, and all expire. `MODEL` is a model's name, which holds no colon.

=================================================  ======  =======================================================
`galley:experiment:MODEL:REVISION:counts`          hash    `VARIANT:requests`, `:errors`, `:caller_errors`,
                                                           `:subjects`, and `:bN` for bucket N of the latencies
`galley:experiment:MODEL:REVISION:subjects`        set     8-byte digests of variant and subject
`galley:experiment:MODEL:REVISION:shares`          string  JSON `{variant: part of the buckets}`, as routed
`galley:experiment:MODEL:newest`                   string  number of the segment of assignments being filled
`galley:experiment:MODEL:assignments:NUMBER`       hash    8-byte digest of a unit → `REVISION:VARIANT`
`galley:experiment:batch:ID`                       string  the receipt of a batch that was added
=================================================  ======  =======================================================
"""

from typing import Final

PREFIX: Final = "galley:experiment:"


def counts_key(model_name: str, revision: int) -> str:
    """Return the key of what was counted."""
    return f"{PREFIX}{model_name}:{revision}:counts"


def subjects_key(model_name: str, revision: int) -> str:
    """Return the key of the subjects seen."""
    return f"{PREFIX}{model_name}:{revision}:subjects"


def shares_key(model_name: str, revision: int) -> str:
    """Return the key of how the buckets were dealt."""
    return f"{PREFIX}{model_name}:{revision}:shares"


def newest_key(model_name: str) -> str:
    """Return the key of the number of the newest segment of assignments."""
    return f"{PREFIX}{model_name}:newest"


def segment_prefix(model_name: str) -> str:
    """Return what the key of each segment begins with; its number follows."""
    return f"{PREFIX}{model_name}:assignments:"


def receipt_key(batch_id: str) -> str:
    """Return the key that says that a batch was added."""
    return f"{PREFIX}batch:{batch_id}"
