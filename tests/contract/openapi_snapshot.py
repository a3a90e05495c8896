"""The OpenAPI document as it was last agreed to. `python -m tests.contract.openapi_snapshot` writes it anew."""

import tempfile
from pathlib import Path
from typing import Any

import orjson

from tests.factories.web import make_worker

SNAPSHOT = Path(__file__).with_name("openapi.json")


def read_snapshot() -> dict[str, Any]:
    """Return the document that clients were promised."""
    document: dict[str, Any] = orjson.loads(SNAPSHOT.read_bytes())
    return document


def write_snapshot() -> None:
    """Promise what the code says now; the change belongs into CHANGELOG.md too."""
    with tempfile.TemporaryDirectory() as folder:
        worker = make_worker(Path(folder))
        document = worker.app.test_client().get("/openapi.json").json
        worker.services.close()
    SNAPSHOT.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


if __name__ == "__main__":
    write_snapshot()
