"""`flask models import`: models that others made, from where they are kept."""

import tempfile
from pathlib import Path

import click

from workers.commands.arguments import FILE, Placing, placing_options
from workers.commands.composition import open_releases
from workers.commands.proving import prove_here
from workers.commands.releasing import Wishes, release
from workers.training.torchvision_zoo import ZooModel, draft_from_zoo


@click.group("import")
def import_model() -> None:
    """Import a model that others made."""


@import_model.command()
@click.argument("architecture")
@click.option(
    "--weights",
    required=True,
    metavar="DEFAULT|none|PATH",
    help="DEFAULT or another name of torchvision's weights (downloaded), 'none' for random ones, or a state dict file.",
)
@click.option("--labels", "labels_file", type=FILE, help="Class names, one per line, for weights from a file.")
@click.option("--max-batch-size", type=click.IntRange(1, 4096), default=32, show_default=True)
@placing_options
def torchvision(
    architecture: str, weights: str, labels_file: Path | None, max_batch_size: int, placing: Placing
) -> None:
    """Script the torchvision classifier ARCHITECTURE with its own transforms and class names, and publish it."""
    model = ZooModel(
        architecture=architecture,
        weights=weights,
        name=placing.name or architecture,
        version=placing.version,
        labels=_read_labels(labels_file) if labels_file else None,
        max_batch_size=max_batch_size,
    )
    with tempfile.TemporaryDirectory() as work_dir, open_releases() as releases:
        draft = draft_from_zoo(model, Path(work_dir), report=click.echo)
        release(releases, draft, Wishes(prove=prove_here, alias=placing.alias, pin=placing.pin))


def _read_labels(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as err:
        raise click.BadParameter(f"{path.name} is not a text file.", param_hint="--labels") from err
