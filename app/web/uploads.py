"""Multipart forms whose files go to disk as they arrive, none of them ever whole in memory."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from flask import Flask, current_app, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.sansio.multipart import Data, Epilogue, Event, Field, File, MultipartDecoder, NeedData

from app.errors import LONGEST_NAME, InvalidFields, InvalidName, TooManyUploads, UnreadableBody
from app.infra.disk import NewFile, check_room
from app.web.body import body_pieces
from app.web.client_places import ClientPlaces

# What the decoder holds back while it looks for the end of a part's headers.
DECODER_BYTES: Final = 2**18
MOST_UPLOADS: Final = 16
"""So many files may one client send at once to each web worker."""

_KEY: Final = "galley_uploads"


@dataclass(frozen=True, kw_only=True)
class PartRule:
    """What a part of a form may hold, and how often it may come.

    `place` says under which path a file of that name goes, relative to the form's folder, and raises InvalidName for
    a name it does not take. Without it the part is a text, kept in memory. Of files that are hashed the form has the
    digest. A file leaves the disk `reserve_bytes`, however large it said it is.
    """

    most_bytes: int
    is_required: bool = False
    most: int = 1
    place: Callable[[str], str] | None = None
    is_hashed: bool = False
    reserve_bytes: int = 0


@dataclass
class ReceivedForm:
    """A form that arrived whole: its texts by part, its files by part, where they lie, and the SHA-256 of some."""

    texts: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, list[Path]] = field(default_factory=dict)
    digests: dict[Path, str] = field(default_factory=dict)

    def count(self, name: str) -> int:
        """Return how many parts of that name came."""
        return len(self.files.get(name, [])) + (name in self.texts)


class Sink(Protocol):
    """Where the bytes of a part go."""

    @property
    def size_bytes(self) -> int:
        """How many came."""

    def write(self, data: bytes) -> None:
        """Take some more."""

    def finish(self) -> None:
        """Take none any more: the part is whole."""

    def close(self) -> None:
        """Give back what is held, whole or not."""


def init_uploads(app: Flask) -> None:
    """Give `app` its places for uploads."""
    app.extensions[_KEY] = ClientPlaces(MOST_UPLOADS, TooManyUploads)


def current_uploads() -> ClientPlaces:
    """Return the places for uploads of the current app."""
    places: ClientPlaces = current_app.extensions[_KEY]
    return places


def receive_form(rules: Mapping[str, PartRule], folder: Path) -> ReceivedForm:
    """Read the request's form; its files are new files in `folder`, synced to disk.

    :raises InvalidFields: naming the part that is missing, unknown, sent twice, misnamed or too large.
    :raises UnreadableBody: when the body is no such form, or broke off.
    :raises DiskFull: when the disk is.
    """
    receiver = FormReceiver(rules, folder)
    try:
        for event in _events():
            receiver.take(event)
    finally:
        receiver.close()
    return receiver.whole_form()


def check_room_for_body(folder: Path) -> None:
    """Refuse at once what the disk of `folder` has no room for, where the request says how large it is.

    :raises DiskFull: then.
    """
    check_room(folder, request.content_length or 0)


class FormReceiver:
    """Puts the parts of one form where their rules say, event by event."""

    def __init__(self, rules: Mapping[str, PartRule], folder: Path) -> None:
        self._rules = rules
        self._folder = folder
        self._form = ReceivedForm()
        self._name = ""
        self._sink: Sink | None = None

    def take(self, event: Event) -> None:
        """Go on with the next event of the form."""
        match event:
            case Field(name=name):
                self._begin(name or "", "")
            case File(name=name, filename=file_name):
                self._begin(name or "", file_name)
            case Data(data=data, more_data=has_more):
                self._go_on(data, has_more)

    def whole_form(self) -> ReceivedForm:
        """Return the form, all of which was taken.

        :raises InvalidFields: naming each part that is missing.
        """
        missing = [name for name, rule in self._rules.items() if rule.is_required and not self._form.count(name)]
        if missing:
            raise InvalidFields({name: ["This part is missing."] for name in missing})

        return self._form

    def close(self) -> None:
        """Close the part that had begun, if one had."""
        if self._sink is not None:
            self._sink.close()

    def _begin(self, name: str, file_name: str) -> None:
        rule = self._rules.get(name)
        if rule is None:
            parts = ", ".join(self._rules)
            raise InvalidFields({name[:LONGEST_NAME] or "body": [f"There is no such part; there are {parts}."]})
        if self._form.count(name) >= rule.most:
            raise InvalidFields(
                {name: [f"Send this part at most {'once' if rule.most == 1 else f'{rule.most} times'}."]}
            )

        self._name = name
        self._sink = _TextSink(name, self._form) if rule.place is None else self._new_file(name, rule, file_name)

    def _new_file(self, name: str, rule: PartRule, file_name: str) -> NewFile:
        assert rule.place is not None
        try:
            path = self._folder / rule.place(file_name)
        except InvalidName as err:
            raise InvalidFields({name: [err.detail]}) from err
        files = self._form.files.setdefault(name, [])
        if path in files:
            raise InvalidFields({name: [f"Two files are named '{file_name[:LONGEST_NAME]}'."]})

        try:
            file = NewFile(path, is_hashed=rule.is_hashed, reserve_bytes=rule.reserve_bytes)
        except (FileExistsError, NotADirectoryError, IsADirectoryError) as err:
            raise InvalidFields({name: [f"'{file_name[:LONGEST_NAME]}' is a file and a folder of files."]}) from err
        files.append(path)
        return file

    def _go_on(self, data: bytes, has_more: bool) -> None:
        sink, rule = self._sink, self._rules[self._name]
        if sink is None:
            raise UnreadableBody("The multipart body is malformed.")
        if sink.size_bytes + len(data) > rule.most_bytes:
            raise InvalidFields({self._name: [f"This part may have at most {rule.most_bytes} bytes."]})

        sink.write(data)
        if not has_more:
            if rule.is_required and not sink.size_bytes:
                raise InvalidFields({self._name: ["This part is empty."]})
            sink.finish()
            if isinstance(sink, NewFile) and rule.is_hashed:
                self._form.digests[sink.path] = sink.sha256
            self._sink = None


class _TextSink:
    """Keeps a part in memory, and puts it into the form when it is whole."""

    def __init__(self, name: str, form: ReceivedForm) -> None:
        self._name = name
        self._form = form
        self._data = bytearray()

    @property
    def size_bytes(self) -> int:
        """How many bytes came."""
        return len(self._data)

    def write(self, data: bytes) -> None:
        """Take some more bytes."""
        self._data += data

    def finish(self) -> None:
        """Put the text into the form."""
        self._form.texts[self._name] = bytes(self._data)

    def close(self) -> None:
        """Hold nothing back: memory closes itself."""


def _events() -> Iterator[Event]:
    """Yield the events of the request's form up to its last."""
    boundary = request.mimetype_params.get("boundary", "")
    if request.mimetype != "multipart/form-data" or not boundary:
        raise UnreadableBody("Send the parts as multipart/form-data, with a boundary.")

    decoder = MultipartDecoder(boundary.encode(), max_form_memory_size=DECODER_BYTES)
    try:
        for piece in body_pieces():
            decoder.receive_data(piece)
            yield from _ready(decoder)
        decoder.receive_data(None)
        yield from _ready(decoder)
    except (ValueError, RequestEntityTooLarge) as err:
        raise UnreadableBody("The multipart body is malformed, or broke off before its end.") from err


def _ready(decoder: MultipartDecoder) -> Iterator[Event]:
    while not isinstance(event := decoder.next_event(), NeedData | Epilogue):
        yield event
