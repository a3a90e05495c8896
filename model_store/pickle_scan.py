"""The pickles of an archive: which names they make the reader look up. Nothing is unpickled."""

import pickletools
import re

from app.errors import ForbiddenCode, UnloadableArtifact
from model_store.torchscript_text import CLASS_NAMESPACES

# What TorchScript's own pickler writes; `__torch__` are the model's own types, whose code is read as text.
_ALLOWED = re.compile(
    r"__torch__(?:\.[A-Za-z0-9_]+)* [A-Za-z0-9_.]+"
    r"|torch\.jit\._pickle (?:build_[a-z]+list|build_tensor_from_id|restore_type_tag)"
    r"|torch\._utils _rebuild_(?:tensor|tensor_v2|parameter|qtensor|sparse_tensor|sparse_csr_tensor)"
    r"|torch (?:[A-Za-z0-9]+Storage|device|Size|per_[a-z_]+|[a-z]+[0-9]+|double|float|half|int|long|short|bool)"
    r"|collections OrderedDict"
    r"|builtins complex"
)
_BOUND_CLASS = re.compile(r"__torch__\.torch\.classes\.([A-Za-z0-9_]+)")
# These name things in other ways than GLOBAL, which is the only one TorchScript's pickler has.
_OTHER_WAYS = frozenset({"STACK_GLOBAL", "INST", "OBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4"})


def check_pickle(name: str, data: bytes) -> None:
    """Check one pickle.

    :raises ForbiddenCode: naming the file, the position and what it looks up.
    :raises UnloadableArtifact: when it is no whole pickle.
    """
    try:
        for opcode, argument, position in pickletools.genops(data):
            if opcode.name in _OTHER_WAYS:
                raise ForbiddenCode(f"{name}, byte {position}: {opcode.name} is not as TorchScript writes pickles.")
            if opcode.name == "GLOBAL" and not _is_allowed(str(argument)):
                wanted = str(argument).replace(" ", ".")
                raise ForbiddenCode(f"{name}, byte {position}: '{wanted}' is not for models to use.")
    except ValueError as err:
        raise UnloadableArtifact(f"The artifact is not a whole TorchScript archive: {name} is no pickle.") from err


def _is_allowed(name: str) -> bool:
    bound = _BOUND_CLASS.match(name.replace(" ", "."))
    if bound is not None and bound[1] not in CLASS_NAMESPACES:
        return False

    return _ALLOWED.fullmatch(name) is not None
