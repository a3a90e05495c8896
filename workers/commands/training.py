"""`flask models train` and `demo`: models that are trained here, from data that comes with the libraries."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from app.services.releases import ReleaseService
from app.settings import read_settings
from model_store.model_ref import ModelRef
from model_store.publisher import VersionDraft
from workers.commands.composition import open_releases
from workers.commands.proving import prove_here
from workers.commands.releasing import Wishes, release
from workers.training.digits import sample_pictures, train_digits

Trainer = Callable[[Path], VersionDraft]


def _digits(work_dir: Path) -> VersionDraft:
    return train_digits(work_dir, report=click.echo)


# In the order in which a first start publishes them.
DEMO_MODELS: dict[str, Trainer] = {"digits": _digits}


@click.command()
@click.argument("name", type=click.Choice(list(DEMO_MODELS)))
@click.option("--alias", help="Point this alias at the new version. The first version takes 'default'.")
def train(name: str, alias: str | None) -> None:
    """Train the demo model NAME and publish it as its next version."""
    with open_releases() as releases:
        _train_and_release(releases, name, alias=alias)


@click.command()
def demo() -> None:
    """Publish the demo models that are missing.

    Versions that lie in the store but not in the database, as after its loss, are taken up first. Pictures to try
    the models with are written to `samples` under VAR_DIR.
    """
    with open_releases() as releases:
        for ref in releases.adopt_store():
            click.echo(f"{ref} was in the store and is released again")
        released = releases.catalog()
        for name in DEMO_MODELS:
            if name in released:
                click.echo(f"{name} is there")
            else:
                _train_and_release(releases, name)
    sample_pictures(read_settings().var_dir / "samples")


def _train_and_release(releases: ReleaseService, name: str, *, alias: str | None = None) -> ModelRef:
    with tempfile.TemporaryDirectory() as work_dir:
        return release(releases, DEMO_MODELS[name](Path(work_dir)), Wishes(prove=prove_here, alias=alias))
