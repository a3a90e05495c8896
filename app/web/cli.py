"""Commands of the web tier: `flask db …` and `flask clients …`; `flask jobs …` is in app.web.job_commands."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import Flask
from flask.cli import AppGroup

from app.db import migrate
from app.errors import GalleyError
from app.services.clients import ALL_MODELS, ClientDraft, IssuedSecret
from app.services.scopes import ALL_SCOPES, scope_text
from app.web.extensions import services

BY = "cli"

db = AppGroup("db", help="The database's schema.")
clients = AppGroup("clients", help="API clients and their secrets.")


def init_cli(app: Flask) -> None:
    """Give `app` its commands."""
    app.cli.add_command(db)
    app.cli.add_command(clients)


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Apply all revisions up to REVISION (default: the newest)."""
    settings = services().settings
    # The default database lies here, and this may be the first command of a new machine.
    settings.var_dir.mkdir(parents=True, exist_ok=True)
    with spoken_errors():
        migrate.upgrade(settings.database_url, revision)
        click.echo(f"The database is at revision {migrate.current_revision(services().database)}.")


@db.command("downgrade")
@click.argument("revision")
def downgrade(revision: str) -> None:
    """Take revisions back down to REVISION: `base` for all, `-1` for the last (after `--`)."""
    with spoken_errors():
        migrate.downgrade(services().settings.database_url, revision)
        click.echo(f"The database is at revision {migrate.current_revision(services().database)}.")


@db.command("current")
def current() -> None:
    """Say which revision the database is at, and which one this code needs."""
    with spoken_errors():
        revision = migrate.current_revision(services().database)
    click.echo(f"The database is at revision {revision}; this code needs {migrate.newest_revision()}.")


@db.command("revision")
@click.argument("message")
def revision(message: str) -> None:
    """Draft a revision that brings the database to the tables as they are in code."""
    with spoken_errors():
        path = migrate.draft_revision(services().settings.database_url, message)
    click.echo(f"Wrote {path}; read it before you use it.")


@clients.command("list")
def list_clients() -> None:
    """List all clients."""
    with spoken_errors():
        for facts in services().clients.page():
            click.echo(f"{facts.client_id}\t{scope_text(facts.scopes)}\t{' '.join(facts.model_globs)}")


@clients.command("create")
@click.argument("client_id")
@click.option("--scope", "scopes", multiple=True, required=True, help=f"One of {scope_text(ALL_SCOPES)}; may repeat.")
@click.option("--model", "globs", multiple=True, default=ALL_MODELS, help="A model name or glob; may repeat.")
@click.option("--description", default="", help="Who it is, for people.")
def create(client_id: str, scopes: tuple[str, ...], globs: tuple[str, ...], description: str) -> None:
    """Make the client CLIENT_ID and print its secret, once."""
    with spoken_errors():
        draft = ClientDraft(client_id=client_id, scopes=frozenset(scopes), model_globs=globs, description=description)
        _print(services().clients.create(draft, by=BY))


@clients.command("create-admin")
def create_admin() -> None:
    """Make a client with all scopes and print its secret: for when the last one is lost."""
    with spoken_errors():
        _print(services().clients.create_admin(by=BY))


@clients.command("rotate")
@click.argument("client_id")
def rotate(client_id: str) -> None:
    """Give CLIENT_ID a new secret and print it; the old one stays valid for the grace period."""
    with spoken_errors():
        _print(services().clients.rotate(client_id, by=BY))


@clients.command("delete")
@click.argument("client_id")
def delete(client_id: str) -> None:
    """Delete CLIENT_ID; its tokens are refused from now on."""
    with spoken_errors():
        services().clients.delete(client_id, by=BY)
    click.echo(f"Deleted the client {client_id}.")


@contextmanager
def spoken_errors() -> Iterator[None]:
    """Turn Galley's errors into a sentence and exit status 1."""
    try:
        yield
    except GalleyError as err:
        fields = getattr(err, "errors", {})
        reasons = [f"  {name}: {' '.join(problems)}" for name, problems in sorted(fields.items())]
        raise click.ClickException("\n".join([err.detail, *reasons])) from err


def _print(issued: IssuedSecret) -> None:
    click.echo(f"GALLEY_CLIENT_ID={issued.client.client_id}")
    click.echo(f"GALLEY_CLIENT_SECRET={issued.secret}")
