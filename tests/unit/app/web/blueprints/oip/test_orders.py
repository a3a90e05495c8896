"""The bodies of repository calls, as their clients send them and as they should not."""

import pytest
from flask import Flask

from app.errors import InvalidFields, UnreadableBody
from app.web.blueprints.oip.orders import IndexOrder, LoadOrder, Order, UnloadOrder, read_order


def read(kind: type[Order], body: bytes) -> Order:
    with Flask(__name__).test_request_context("/v2", method="POST", data=body, content_type="application/octet-stream"):
        return read_order(kind)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": false}', b'{"repository": "x"}'])
def test_index_is_of_all_versions_by_default(body: bytes) -> None:
    assert not read(IndexOrder, body).ready


def test_index_may_be_of_the_ready_ones() -> None:
    assert read(IndexOrder, b'{"ready": true}').ready


@pytest.mark.parametrize("body", [b"[]", b"{", b'{"ready": 1}', b"\xff", b"null", b"[" * 100_000])
def test_order_that_is_none_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read(IndexOrder, body)


def test_load_takes_neither_config_nor_files() -> None:
    read(LoadOrder, b'{"parameters": {}}').check()

    with pytest.raises(InvalidFields) as caught:
        read(LoadOrder, b'{"parameters": {"config": "{}", "file:1/model.pt": "AAAA"}}').check()

    assert set(caught.value.errors) == {"parameters.config", "parameters.file:1/model.pt"}
    assert "publish" in caught.value.errors["parameters.config"][0]


def test_a_refusal_is_not_many_times_its_body() -> None:
    with pytest.raises(InvalidFields) as caught:
        read(LoadOrder, b'{"parameters": {%b"last": []}}' % b"".join(b'"%d": [],' % n for n in range(1000))).check()

    assert len(caught.value.errors) <= 16


@pytest.mark.parametrize("body", [b"", b'{"parameters": {"unload_dependents": true}}'])
def test_unload_takes_the_word_of_dependents(body: bytes) -> None:
    assert isinstance(read(UnloadOrder, body), UnloadOrder)


@pytest.mark.parametrize("body", [b'{"parameters": {"unload_dependents": "yes"}}', b'{"parameters": {"other": 1}}'])
def test_unload_takes_nothing_else(body: bytes) -> None:
    with pytest.raises(UnreadableBody):
        read(UnloadOrder, body)
