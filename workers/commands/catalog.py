"""Commands that read and move names: list, show, verify, alias. None of them needs torch."""

import click

from app.errors import GalleyError, ModelNotFound
from app.services.aliases import AliasMove
from app.services.catalog import CatalogModel
from app.services.releases import ReleaseService
from model_store.manifest import encode_manifest
from workers.commands.arguments import Target, target_argument
from workers.commands.composition import open_parts, open_releases

MIB = 2**20


@click.command("list")
def list_models() -> None:
    """List all released versions with their aliases, one per line."""
    with open_releases() as releases:
        catalog = releases.catalog()
    if not catalog:
        click.echo("No model is published. `flask models demo` publishes the demo models.")
    for _, model in sorted(catalog.items()):
        _echo_model(model)


@click.command()
@target_argument
def show(target: Target) -> None:
    """Show the versions of a model, or one version with its manifest."""
    with open_releases() as releases:
        model = _model(releases, target.name)
        if target.version is None:
            _echo_model(model)
            return

        facts = model.resolve(target.version)
        manifest = releases.manifest(facts.ref)
    click.echo(_line(model, facts.ref.version))
    click.echo(f"released {facts.created_at:%Y-%m-%d %H:%M:%S}Z by {facts.created_by}, digest {facts.digest}")
    click.echo(encode_manifest(manifest).decode(), nl=False)


@click.command()
@target_argument
def verify(target: Target) -> None:
    """Hash every file of a version, or of all versions of a model, and compare with what was published."""
    with open_releases() as releases:
        model = _model(releases, target.name)
        versions = [model.resolve(target.version)] if target.version else list(model.versions.values())
        problems = 0
        for facts in versions:
            try:
                releases.verify(facts)
            except GalleyError as err:
                problems += 1
                click.echo(f"{facts.ref}: {err.detail}", err=True)
            else:
                click.echo(f"{facts.ref}: every file is as it was published")
    if problems:
        raise click.ClickException(f"{problems} of {len(versions)} versions cannot be trusted.")


@click.command()
@click.argument("name")
@click.argument("alias_name", metavar="ALIAS")
@click.argument("version")
@click.option("--why", default="", help="A reason, for the history.")
def alias(name: str, alias_name: str, version: str, why: str) -> None:
    """Point ALIAS at VERSION (a number or another alias) of the model NAME."""
    with open_parts() as parts:
        facts = parts.aliases.set(name, alias_name, AliasMove(version=version, by="cli", why=why))
    click.echo(f"{name}/{alias_name} is now {name}/{facts.version}")


def _model(releases: ReleaseService, name: str) -> CatalogModel:
    model = releases.catalog().get(name)
    if model is None:
        raise ModelNotFound(name)

    return model


def _echo_model(model: CatalogModel) -> None:
    for version in sorted(model.versions):
        click.echo(_line(model, version))


def _line(model: CatalogModel, version: int) -> str:
    facts = model.versions[version]
    names = sorted(alias for alias, number in model.aliases.items() if number == version)
    notes = [facts.task, facts.execution, f"{facts.size_bytes / MIB:.1f} MiB", *names]
    return "  ".join([f"{facts.ref!s:<24}", *notes, *(["pinned"] if facts.is_pinned else [])])
