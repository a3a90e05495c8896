"""The files that a version brings besides its artifact, read without trusting what they say of themselves."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.errors import InvalidManifest
from app.scenarios.fraud_risk import MerchantRisk, decode_risk
from model_store.layout import ASSETS_FOLDER
from model_store.manifest import Manifest

Ids = NDArray[np.int64]

_PREFIX: Final = f"{ASSETS_FOLDER}/"
# What numpy.save writes in front of an array, in versions 1.0 and 2.0 of the format: magic, length, datatype, shape.
# numpy's own reader would evaluate it as Python, and then take memory for whatever shape it names.
_NPY_HEADER: Final = re.compile(
    rb"\x93NUMPY(?:\x01\x00.{2}|\x02\x00.{4})"
    rb"\{'descr': '(?P<datatype>[^']{1,32})', 'fortran_order': (?:False|True), "
    rb"'shape': \((?P<shape>[0-9, ]{0,64})\),? ?\} *\n",
    re.DOTALL,
)
_INT64: Final = (b"<i8", b">i8")
_ONE_DIMENSION: Final = re.compile(rb"([0-9]{1,18}),")


class Assets:
    """A version's assets by name."""

    def __init__(self, files: Mapping[str, Path]) -> None:
        self._files = files

    @classmethod
    def of(cls, folder: Path, manifest: Manifest) -> "Assets":
        """Return the assets of the version in `folder`: those that its manifest has the hashes of."""
        paths = (path for path in manifest.files if path.startswith(_PREFIX))
        return cls({path.removeprefix(_PREFIX): folder / path for path in paths})

    def ids(self, name: str) -> Ids:
        """Return the ids in a .npy file: integers of 64 bits in one dimension, each there once.

        :raises InvalidManifest: when there is no such file, or it holds anything else.
        """
        ids = _ids_in(self._read(name), name)
        repeated = len(ids) - len(np.unique(ids))
        if repeated:
            raise InvalidManifest(f"The asset {name!r} has {repeated} ids that it has before.")

        return ids

    def texts(self, name: str) -> list[str]:
        """Return the texts in a JSON file: a list of strings.

        :raises InvalidManifest: when there is no such file, or it holds anything else.
        """
        try:
            return msgspec.json.decode(self._read(name), type=list[str])
        except (msgspec.MsgspecError, UnicodeDecodeError) as err:
            raise InvalidManifest(f"The asset {name!r} is no JSON list of strings: {err}.") from err

    def merchant_risk(self, name: str) -> MerchantRisk:
        """Return the shares of fraud in a JSON file, by merchant.

        :raises InvalidManifest: when there is no such file, or it holds anything else.
        """
        try:
            return decode_risk(self._read(name))
        except (msgspec.MsgspecError, UnicodeDecodeError) as err:
            raise InvalidManifest(f"The asset {name!r} holds no shares of fraud by merchant: {err}.") from err

    def _read(self, name: str) -> bytes:
        if name not in self._files:
            raise InvalidManifest(f"The manifest names the asset {name!r}, which the version does not have.")

        return self._files[name].read_bytes()


NO_ASSETS: Final = Assets({})


def _ids_in(data: bytes, name: str) -> Ids:
    header = _NPY_HEADER.match(data)
    if header is None:
        raise InvalidManifest(f"The asset {name!r} is no array as numpy.save writes it.")

    datatype, shape = header["datatype"], header["shape"]
    size = _ONE_DIMENSION.fullmatch(shape)
    if datatype not in _INT64 or size is None:
        found = f"{datatype.decode('latin-1')!r} of shape ({shape.decode()})"
        raise InvalidManifest(f"The asset {name!r} is {found}; ids are int64 in one dimension.")
    if len(data) - header.end() != int(size[1]) * 8:
        raise InvalidManifest(f"The asset {name!r} does not hold the {int(size[1])} ids that its header promises.")

    return np.frombuffer(data, datatype.decode(), offset=header.end()).astype(np.int64)
