"""`flask models train` and `demo`: models that are trained here, from data that comes along or is made up."""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
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
from workers.training.fraud import train_fraud
from workers.training.recommender import train_recommender
from workers.training.text import train_text

Trainer = Callable[[Path], VersionDraft]


def _digits(work_dir: Path) -> VersionDraft:
    return train_digits(work_dir, report=click.echo)


def _recommender(work_dir: Path) -> VersionDraft:
    return train_recommender(work_dir, report=click.echo)


def _fraud(work_dir: Path) -> VersionDraft:
    return train_fraud(work_dir, report=click.echo)


def _text(work_dir: Path) -> VersionDraft:
    return train_text(work_dir, report=click.echo)


# In the order in which a first start publishes them.
DEMO_MODELS: dict[str, Trainer] = {"digits": _digits, "recommender": _recommender, "fraud": _fraud, "text": _text}


@dataclass(frozen=True)
class DataOption:
    """An option that names data to train on instead of made-up ones: whose it is, and what takes it first."""

    model: str
    train: Callable[[Path, Path], VersionDraft]


def _recommender_on(ratings: Path, work_dir: Path) -> VersionDraft:
    return train_recommender(work_dir, report=click.echo, ratings=ratings)


def _fraud_on(transactions: Path, work_dir: Path) -> VersionDraft:
    return train_fraud(work_dir, report=click.echo, transactions=transactions)


def _text_on(csv: Path, work_dir: Path) -> VersionDraft:
    return train_text(work_dir, report=click.echo, csv=csv)


DATA_OPTIONS: dict[str, DataOption] = {
    "ratings": DataOption("recommender", _recommender_on),
    "transactions": DataOption("fraud", _fraud_on),
    "csv": DataOption("text", _text_on),
}


@click.command()
@click.argument("name", type=click.Choice(list(DEMO_MODELS)))
@click.option("--alias", help="Point this alias at the new version. The first version takes 'default'.")
@click.option(
    "--ratings",
    type=click.Path(exists=True, path_type=Path),
    help="Of the recommender: a ratings file, or a folder with ratings.dat or ratings.csv. Without it: simulated ones.",
)
@click.option(
    "--transactions",
    type=click.Path(exists=True, path_type=Path),
    help="Of fraud: a CSV file of payments, or a folder with several. Without it: simulated ones.",
)
@click.option(
    "--csv",
    type=click.Path(exists=True, path_type=Path),
    help="Of text: a CSV file of texts and labels, or a folder with train.csv and test.csv. Without it: made-up ones.",
)
def train(name: str, alias: str | None, **data: Path | None) -> None:
    """Train the demo model NAME and publish it as its next version.

    Ratings are read as MovieLens and MovieTweetings write them: user::item::rating::time, or CSV with a header. Titles
    come from movies.dat or movies.csv beside them. Transactions are CSV as the Fraud Detection Handbook has them:
    TX_DATETIME, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_FRAUD, and TX_CHANNEL and TX_COUNTRY if there are any. Texts
    are CSV with a header that has the columns text and label, or category.
    """
    with open_releases() as releases:
        _train_and_release(releases, name, _trainer(name, data), alias=alias)


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
        for name, trainer in DEMO_MODELS.items():
            if name in released:
                click.echo(f"{name} is there")
            else:
                _train_and_release(releases, name, trainer)
    sample_pictures(read_settings().var_dir / "samples")


def _trainer(name: str, data: Mapping[str, Path | None]) -> Trainer:
    """Return what trains the model, on the data that an option names if one does."""
    for option, path in data.items():
        if path is None:
            continue
        source = DATA_OPTIONS[option]
        if name != source.model:
            raise click.UsageError(
                f"--{option} is an option of the {source.model}; {name} is trained on data of its own."
            )
        return partial(source.train, path)
    return DEMO_MODELS[name]


def _train_and_release(releases: ReleaseService, name: str, trainer: Trainer, *, alias: str | None = None) -> ModelRef:
    with tempfile.TemporaryDirectory(prefix=f"galley-{name}-") as work_dir:
        return release(releases, trainer(Path(work_dir)), Wishes(prove=prove_here, alias=alias))
