"""Commands that say what runs: load, unload, pin, unpin, instances. None of them needs torch."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import click

from app.inference.directory_reader import DirectoryReader
from app.services.residency import MOST_INSTANCES, ResidencyService
from model_store.model_ref import ModelRef
from workers.commands.arguments import Target, target_argument
from workers.commands.composition import open_parts

BY = "cli"


@contextmanager
def _residency_of(target: Target, *, follows: bool = False) -> Iterator[tuple[ResidencyService, ModelRef]]:
    """Open the service and look the version up; with `follows`, what runs is known from now on."""
    with open_parts() as parts, _followed(parts.directory) if follows else nullcontext():
        yield parts.residency, parts.releases.find(target.name, target.version).ref


@contextmanager
def _followed(directory: DirectoryReader) -> Iterator[None]:
    directory.start()
    try:
        yield
    finally:
        directory.stop()


@click.command()
@target_argument
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait until it is READY.")
def load(target: Target, timeout_s: float) -> None:
    """Have a version run, and wait until it is READY; takes back an unload."""
    with _residency_of(target, follows=True) as (residency, ref):
        residency.load(ref, by=BY, deadline=time.monotonic() + timeout_s)
    click.echo(f"{ref} is READY")


@click.command()
@target_argument
def unload(target: Target) -> None:
    """Have a version not run, whatever names it, until it is loaded again."""
    with _residency_of(target, follows=True) as (residency, ref):
        residency.unload(ref, by=BY)
    click.echo(f"{ref} is unloaded")


@click.command()
@target_argument
def pin(target: Target) -> None:
    """Keep a version loaded, whether an alias names it or not."""
    with _residency_of(target) as (residency, ref):
        residency.pin(ref, by=BY)
    click.echo(f"{ref} is pinned")


@click.command()
@target_argument
def unpin(target: Target) -> None:
    """Let go of a pinned version: it unloads unless an alias names it."""
    with _residency_of(target) as (residency, ref):
        residency.unpin(ref, by=BY)
    click.echo(f"{ref} is not pinned any more")


@click.command()
@target_argument
@click.argument("count", type=click.IntRange(1, MOST_INSTANCES))
def instances(target: Target, count: int) -> None:
    """Have a version run in COUNT runners whenever it runs."""
    with _residency_of(target) as (residency, ref):
        residency.set_instances(ref, count, by=BY)
    click.echo(f"{ref} is to have {count} runner{'s' if count > 1 else ''}")
