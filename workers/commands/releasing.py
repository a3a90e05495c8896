"""From a draft to a released version: proven as the command says, then published, with a line on each step."""

from dataclasses import dataclass

import click

from app.services.releases import ReleaseService
from model_store.manifest import Measured, MeasuredBatch
from model_store.model_ref import ModelRef
from model_store.publisher import Prove, VersionDraft


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """How a draft is to be proven, and what shall point at the version."""

    prove: Prove
    alias: str | None = None
    pin: bool = False


def release(releases: ReleaseService, draft: VersionDraft, wishes: Wishes) -> ModelRef:
    """Prove a draft and release it.

    :raises StoreError: when it is refused; nothing is left behind then.
    """
    click.echo(f"{draft.name}: proving {draft.artifact.name}")
    ref = releases.release(draft, prove=wishes.prove, by="cli", alias=wishes.alias, pin=wishes.pin)
    measured = releases.manifest(ref).measured
    if measured is not None:
        _say(measured)
    facts = releases.find(ref.name, str(ref.version))
    click.echo(f"{ref} is published ({facts.task}, digest {facts.digest[:12]})")
    return ref


def _say(measured: Measured) -> None:
    best = max(measured.batches, key=_rows_per_s)
    click.echo(f"proven: {_rows_per_s(best):.0f} rows/s on one thread, in batches of {best.batch_size}")
    if not measured.is_batch_safe:
        click.echo("rows answer otherwise in a batch than alone: max_batch_size is set to 1")


def _rows_per_s(batch: MeasuredBatch) -> float:
    return batch.batch_size / batch.seconds
