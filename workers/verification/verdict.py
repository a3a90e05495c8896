"""What comes of a verification."""

from dataclasses import dataclass

import msgspec

from model_store.manifest import Manifest, check_complete, check_manifest
from workers.verification.report import Found


@dataclass(frozen=True)
class Verdict:
    """A verified version: its manifest, complete, with what was measured."""

    manifest: Manifest


def make_verdict(draft: Manifest, found: Found) -> Verdict:
    """Fill the gaps of the draft; what it says itself stays, whatever was reported.

    :raises InvalidManifest: when what was found does not fit the draft.
    """
    manifest = msgspec.structs.replace(
        draft,
        inputs=draft.inputs or found.inputs,
        outputs=draft.outputs or found.outputs,
        max_batch_size=min(draft.max_batch_size, found.max_batch_size),
        measured=found.measured,
    )
    return Verdict(check_complete(check_manifest(manifest)))
