"""The parts of processes outside the web tier."""

from pathlib import Path

from tests.factories.settings import make_settings
from workers.bootstrap import assemble


def test_parts_are_built_without_touching_anything(tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "absent", redis_url=f"unix://{tmp_path}/absent.sock")

    parts = assemble(settings)

    assert parts.settings is settings
    assert parts.store.root == str(tmp_path / "absent" / "store")
    assert not (tmp_path / "absent").exists()
    parts.close()
