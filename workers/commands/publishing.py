"""`flask models publish`: a TorchScript file and its manifest become a version, once they are proven."""

from functools import partial
from pathlib import Path

import click

from model_store.manifest import Manifest, decode_draft
from model_store.publisher import VersionDraft
from workers.commands.arguments import FILE, Placing, placing_options
from workers.commands.composition import open_parts
from workers.commands.releasing import Wishes, release
from workers.verification.limits import VerificationLimits
from workers.verification.verify import verify_isolated


@click.command()
@click.argument("artifact", type=FILE)
@click.option("--manifest", "manifest_file", type=FILE, required=True, help="The manifest, a JSON file.")
@click.option("--samples", "samples_file", type=FILE, help="Inputs with the outputs they must give, a JSON file.")
@click.option("--asset", "assets", multiple=True, metavar="[NAME=]FILE", help="A file the model reads; repeatable.")
@placing_options
def publish(
    artifact: Path, manifest_file: Path, samples_file: Path | None, assets: tuple[str, ...], placing: Placing
) -> None:
    """Prove ARTIFACT, a TorchScript file, against its manifest and samples, and publish it.

    It is opened in a process of its own only, within the limits that VERIFICATION_* set. A manifest without inputs or
    outputs gets those that the samples and the model's answers show.

    Name and version come from the options, else from the manifest; without a version the next free one is taken.
    """
    manifest = decode_draft(manifest_file.read_bytes())
    name = placing.name or manifest.name
    if not name:
        raise click.UsageError("The manifest has no name; give one with --name.")

    draft = VersionDraft(
        name=name,
        version=placing.version or manifest.version or None,
        manifest=manifest,
        artifact=artifact,
        samples=samples_file.read_bytes() if samples_file else None,
        assets=_assets(assets),
    )
    with open_parts() as parts:
        limits = VerificationLimits.of(parts.settings)
        release(parts.releases, draft, Wishes(prove=partial(_prove, limits), alias=placing.alias, pin=placing.pin))


def _prove(limits: VerificationLimits, folder: Path) -> Manifest:
    return verify_isolated(folder, limits=limits).manifest


def _assets(texts: tuple[str, ...]) -> dict[str, Path]:
    named = list(map(_asset, texts))
    assets = dict(named)
    if len(assets) < len(named):
        raise click.UsageError("Two assets have the same name; name one with --asset NAME=FILE.")

    return assets


def _asset(text: str) -> tuple[str, Path]:
    name, equals, path = text.rpartition("=")
    return (name, Path(path)) if equals else (Path(path).name, Path(path))
