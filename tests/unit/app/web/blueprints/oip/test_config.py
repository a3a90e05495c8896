"""GET /v2/models/NAME/config, as tools that measure servers read it."""

import pytest
from flask.testing import FlaskClient

from model_store.model_ref import ModelRef


@pytest.mark.parametrize("path", ["config", "versions/1/config", "versions/default/config/"])
def test_config_tells_largest_batch_and_tensors(
    client: FlaskClient, headers: dict[str, str], digits: ModelRef, path: str
) -> None:
    response = client.get(f"/v2/models/digits/{path}", headers=headers)

    assert response.status_code == 200
    assert response.json == {
        "name": "digits",
        "platform": "pytorch_torchscript",
        "backend": "pytorch",
        "max_batch_size": 8,
        "input": [{"name": "image", "data_type": "TYPE_FP32", "dims": [3, 8, 8]}],
        "output": [{"name": "scores", "data_type": "TYPE_FP32", "dims": [3]}],
        "dynamic_batching": {},
    }
