"""Catalogues of models that nobody published."""

from datetime import UTC, datetime

from app.db.repositories.models import VersionFacts
from app.services.catalog import Catalog, CatalogModel
from model_store.model_ref import ModelRef


def make_facts(version: int, name: str = "digits") -> VersionFacts:
    """Return what SQL knows of a version of an image classifier."""
    return VersionFacts(
        ref=ModelRef(name, version),
        digest="0" * 64,
        task="image-classification",
        execution="online",
        size_bytes=1,
        is_pinned=False,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        created_by="test",
    )


def catalog_with(*versions: int, **aliases: int) -> Catalog:
    """Return a catalogue of the model `digits` with these versions and aliases."""
    model = CatalogModel(name="digits", aliases=aliases, versions={number: make_facts(number) for number in versions})
    return {"digits": model}
