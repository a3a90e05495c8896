"""Reader of labelled texts: CSV with a header, and what is held out in a file of its own or cut from the one."""

from collections.abc import Iterator
from pathlib import Path

from app.errors import InputError
from app.scenarios.text import MAX_TEXT_BYTES
from workers.training.tables import CSV_SUFFIX, BadLine, Table, open_table, quoted
from workers.training.text_data import LabelledText, TextSet

TRAINING_FILE = f"train{CSV_SUFFIX}"
HELD_OUT_FILE = f"test{CSV_SUFFIX}"

_COLUMNS = {"text": ("text", "question", "sentence"), "label": ("label", "category", "intent", "class")}


def read_text_set(path: Path, *, seed: int) -> TextSet:
    """Read a CSV file, of which a fifth is held out, or a folder with `train.csv` and `test.csv`.

    :raises InputError: naming file and line of the first thing that is wrong, or what is missing.
    """
    if path.is_dir():
        training, held_out = read_texts(path / TRAINING_FILE), read_texts(path / HELD_OUT_FILE)
        return TextSet(training=training, held_out=held_out).check()
    if path.suffix != CSV_SUFFIX:
        raise InputError(f"'{path.name}' is no {CSV_SUFFIX} file.")

    return TextSet.cut(read_texts(path), seed=seed).check()


def read_texts(path: Path) -> list[LabelledText]:
    """Read the texts of one file, in its order.

    :raises InputError: naming file and line of the first thing that is wrong.
    """
    with open_table(path, _COLUMNS) as table:
        return list(_texts(table))


def _texts(table: Table) -> Iterator[LabelledText]:
    for number, fields in table.numbered():
        try:
            yield LabelledText(_text(table, fields), _label(table, fields))
        except BadLine as err:
            raise table.refusal(number, err) from err


def _text(table: Table, fields: list[str]) -> str:
    text = table.pick(fields, "text")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise BadLine(f"the text {quoted(text)} has more than {MAX_TEXT_BYTES} bytes")

    return text


def _label(table: Table, fields: list[str]) -> str:
    label = table.pick(fields, "label").strip()
    if not label:
        raise BadLine("the label is empty")

    return label
