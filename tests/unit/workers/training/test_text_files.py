"""Labelled texts are read from CSV, and what is wrong with a file is told with its line."""

from pathlib import Path

import pytest

from app.errors import InputError
from app.scenarios.text import MAX_TEXT_BYTES
from tests.factories.ratings import write_lines
from workers.training.text_data import LabelledText
from workers.training.text_files import read_text_set, read_texts

ROWS = [f"{word} {number},{word}" for word in ("lost", "late") for number in range(10)]


@pytest.mark.parametrize("header", ["text,category", "Text, label", "question,intent"])
def test_columns_may_be_called_several_names(tmp_path: Path, header: str) -> None:
    path = write_lines(tmp_path / "a.csv", [header, '"Where, please,\nis it? ""Grüße""", late ', ",lost"])

    assert read_texts(path) == [LabelledText('Where, please,\nis it? "Grüße"', "late"), LabelledText("", "lost")]


def test_of_one_file_a_fifth_is_held_out(tmp_path: Path) -> None:
    texts = read_text_set(write_lines(tmp_path / "a.csv", ["text,label", *ROWS]), seed=0)

    assert (len(texts.training), len(texts.held_out), texts.names) == (16, 4, ["late", "lost"])


def test_a_folder_says_what_is_held_out(tmp_path: Path) -> None:
    write_lines(tmp_path / "train.csv", ["text,label", *ROWS])
    write_lines(tmp_path / "test.csv", ["text,label", "broken,damaged"])
    texts = read_text_set(tmp_path, seed=0)

    assert len(texts.training) == 20
    assert texts.held_out == [LabelledText("broken", "damaged")]
    assert texts.names == ["damaged", "late", "lost"]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["words,label"], "line 1: the header has no column 'text'"),
        (["text,kind"], "no column 'label' or 'category'"),
        (["text,label", "a,b", "alone"], "line 3: there is no label"),
        (["text,label", "a, "], "line 2: the label is empty"),
        (["text,label", "x" * (2**20 + 1)], "line 2: field larger"),
        (["text,label", *ROWS[:10]], "two labels"),
        (["text,label", "a,b", "c,d"], "one label at least needs five"),
    ],
)
def test_what_is_wrong_is_told(tmp_path: Path, lines: list[str], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_text_set(write_lines(tmp_path / "a.csv", lines), seed=0)


def test_a_text_longer_than_can_be_asked_is_refused(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "a.csv", ["text,label", "€" * (MAX_TEXT_BYTES // 3 + 1) + ",b"])

    with pytest.raises(InputError, match=f"more than {MAX_TEXT_BYTES} bytes"):
        read_texts(path)


def test_a_folder_without_its_files_and_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.csv' cannot be read"):
        read_text_set(tmp_path, seed=0)
    with pytest.raises(InputError, match=r"is no \.csv file"):
        read_text_set(tmp_path / "a.tsv", seed=0)
