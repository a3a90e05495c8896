"""Commands that say what runs: load, unload, pin, unpin, instances. None of them needs torch."""

import time

import click

from app.services.residency import MOST_INSTANCES
from workers.commands.arguments import Target, target_argument
from workers.commands.composition import open_parts

BY = "cli"


@click.command()
@target_argument
@click.option("--timeout", "timeout_s", default=60.0, show_default=True, help="Seconds to wait until it is READY.")
def load(target: Target, timeout_s: float) -> None:
    """Have a version run, and wait until it is READY; takes back an unload."""
    with open_parts() as parts:
        ref = parts.releases.find(target.name, target.version).ref
        parts.directory.start()
        try:
            parts.residency.load(ref, by=BY, deadline=time.monotonic() + timeout_s)
        finally:
            parts.directory.stop()
    click.echo(f"{ref} is READY")


@click.command()
@target_argument
def unload(target: Target) -> None:
    """Have a version not run, whatever names it, until it is loaded again."""
    with open_parts() as parts:
        ref = parts.releases.find(target.name, target.version).ref
        parts.directory.start()
        try:
            parts.residency.unload(ref, by=BY)
        finally:
            parts.directory.stop()
    click.echo(f"{ref} is unloaded")


@click.command()
@target_argument
def pin(target: Target) -> None:
    """Keep a version loaded, whether an alias names it or not."""
    with open_parts() as parts:
        ref = parts.releases.find(target.name, target.version).ref
        parts.residency.pin(ref, by=BY)
    click.echo(f"{ref} is pinned")


@click.command()
@target_argument
def unpin(target: Target) -> None:
    """Let go of a pinned version: it unloads unless an alias names it."""
    with open_parts() as parts:
        ref = parts.releases.find(target.name, target.version).ref
        parts.residency.unpin(ref, by=BY)
    click.echo(f"{ref} is not pinned any more")


@click.command()
@target_argument
@click.argument("count", type=click.IntRange(1, MOST_INSTANCES))
def instances(target: Target, count: int) -> None:
    """Have a version run in COUNT runners whenever it runs."""
    with open_parts() as parts:
        ref = parts.releases.find(target.name, target.version).ref
        parts.residency.set_instances(ref, count, by=BY)
    click.echo(f"{ref} is to have {count} runner{'s' if count > 1 else ''}")
