"""Folders of a store that are no versions are told from those that are."""

import pytest

from app.errors import InvalidName
from model_store.layout import STAGING_FOLDER, asset_path, is_model_name, manifest_path, parse_version
from model_store.model_ref import ModelRef


def test_a_version_lies_under_its_name() -> None:
    assert manifest_path(ModelRef("digits", 3)) == "digits/3/manifest.json"


def test_the_staging_folder_can_be_no_model() -> None:
    assert not is_model_name(STAGING_FOLDER)


@pytest.mark.parametrize("text", ["", "0", "01", "-1", "1.0", "one", "99999999999", "4294967296", "١"])
def test_other_folders_are_no_versions(text: str) -> None:
    assert parse_version("digits", text) is None


def test_a_number_is_a_version() -> None:
    assert parse_version("digits", "12") == ModelRef("digits", 12)


def test_an_asset_stays_under_assets() -> None:
    assert asset_path("vocabulary/en.txt") == "assets/vocabulary/en.txt"
    with pytest.raises(InvalidName):
        asset_path("../model.pt")
