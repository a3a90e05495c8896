"""Commands that delete versions for good: delete, prune. None of them needs torch."""

import click

from workers.commands.composition import open_parts

BY = "cli"


@click.command()
@click.argument("name")
@click.argument("version")
def delete(name: str, version: str) -> None:
    """Delete VERSION of the model NAME, which no alias, route or pin may name. Its number is never given again."""
    with open_parts() as parts:
        ref = parts.releases.find(name, version).ref
        parts.retention.delete(ref, by=BY)
    click.echo(f"{ref} is deleted")


@click.command()
@click.argument("name")
@click.option("--keep", type=click.IntRange(1), required=True, help="How many of the newest versions stay.")
@click.option("--apply", is_flag=True, help="Delete; without it, only say what would be deleted.")
def prune(name: str, keep: int, apply: bool) -> None:
    """Delete all versions of the model NAME but the newest and those that something names."""
    with open_parts() as parts:
        plan = parts.retention.prune(name, keep=keep, by=BY) if apply else parts.retention.plan(name, keep=keep)
    for version, reasons in plan.stays.items():
        click.echo(f"{name}/{version} stays: {', '.join(reasons)}")
    for version in plan.goes:
        click.echo(f"{name}/{version} {'is deleted' if apply else 'would be deleted'}")
    if plan.goes and not apply:
        click.echo("Nothing was deleted; add --apply to do it.")
