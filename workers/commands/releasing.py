"""From a draft to a released version: proven in this process, then published, with a line on each step."""

from pathlib import Path

import click
import msgspec

from app.services.releases import ReleaseService
from model_store.manifest import Manifest
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft
from workers.runner.proof import load_and_prove


def release(releases: ReleaseService, draft: VersionDraft, *, alias: str | None = None, pin: bool = False) -> ModelRef:
    """Prove a draft and release it.

    :raises StoreError: when it is refused; nothing is left behind then.
    """
    click.echo(f"{draft.name}: proving {draft.artifact.name}")
    ref = releases.release(draft, prove=prove, by="cli", alias=alias, pin=pin)
    facts = releases.find(ref.name, str(ref.version))
    click.echo(f"{ref} is published ({facts.task}, digest {facts.digest[:12]})")
    return ref


def prove(folder: Path) -> Manifest | None:
    """Prove a staged version; one whose rows disturb each other gets a manifest without batches.

    :raises StoreError: the first thing that is wrong.
    """
    model, proof = load_and_prove(folder)
    click.echo(f"proven: {proof.rows_per_s:.0f} rows/s on one thread, in batches of {proof.best_batch}")
    if proof.is_batch_safe:
        return None

    click.echo("rows answer otherwise in a batch than alone: max_batch_size is set to 1")
    return msgspec.structs.replace(model.manifest, max_batch_size=1)
