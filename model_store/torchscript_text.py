"""The text of an archive's `code/`: it has to be as TorchScript writes it, and to call what a model may call.

TorchScript reads more than it writes: comments, triple quotes, names in pieces. Text that it would not write is
refused, since in it a call can be hidden from a reader that takes it for a string, or the other way round. In the rest
a few words decide, and they cannot be spelled in another way.
"""

import re

from app.errors import ForbiddenCode

# Files, printing, and calls out of the process. Refused wherever they stand, because a function can be given another
# name first (`f = torch.save`). `warn` is allowed: torch's own layers call it.
FORBIDDEN_NAMES = frozenset(
    {
        "save",
        "from_file",
        "print",
        "_print",
        "Print",
        "PythonOp",
        "IgnoredPythonOp",
        "rpc_async",
        "rpc_sync",
        "rpc_remote",
    }
)
OPERATOR_NAMESPACES = frozenset({"aten", "prim", "quantized", "_quantized", "prepacked", "sparse", "torchvision"})
# Others read files (c10d's stores) or trace the process.
CLASS_NAMESPACES = frozenset({"quantized", "rnn", "sparse", "xnnpack"})

_STRING = r"""(?!\"{3}|'{3})(?:"(?:[^"\\\n]|\\[^\n])*+"|'(?:[^'\\\n]|\\[^\n])*+')"""
_NAME = r"[A-Za-z_][A-Za-z0-9_]*+"
_NUMBER = r"[0-9]++(?:\.[0-9]*+)?(?:e[-+]?[0-9]++)?j?"
_OPERATOR = r"[-+*/%<>=!&|^~.,:()\[\]{}]"
_WRITTEN = re.compile(f"(?:{_STRING}|{_NAME}|{_NUMBER}|{_OPERATOR}|[ \n])*+", re.ASCII)
_WATCHED = re.compile(
    rf"{_STRING}|(?<![A-Za-z0-9_])(?P<word>{'|'.join(sorted(FORBIDDEN_NAMES))}|ops|torch|getattr)(?![A-Za-z0-9_])"
)
_MEMBER = re.compile(rf"[ \n]*+\.[ \n]*+({_NAME})")
# `ops` as an attribute of the model, and its line in the class.
_AFTER_DOT = re.compile(r"\.[ \n]*+\Z")
_ANNOTATION = re.compile(r"[ \n]*+:")
_OPENING = re.compile(r"[ \n]*+\(")
_BRACKETS = re.compile(rf"{_STRING}|(?<![A-Za-z0-9_])getattr[ \n]*+\(|[()]")
_NEXT_STRING = re.compile(r"[ \n]*+[\"']")
# TorchScript's own parser gives up long before.
_DEEPEST = 1000
# What getattr may not give: roots from which everything can be reached.
_ROOTS = frozenset({"ops", "torch", "classes"})


def check_text(name: str, data: bytes) -> None:
    """Check one file of code.

    :raises ForbiddenCode: naming the file, the line and the call.
    """
    text = data.decode("latin-1")
    end = _end(_WRITTEN.match(text))
    if end < len(text):
        raise _forbidden(name, text, end, f"{text[end : end + 1]!r} is not as TorchScript writes its code")

    for found in _WATCHED.finditer(text):
        word = found["word"]
        if word in FORBIDDEN_NAMES:
            raise _forbidden(name, text, found.start(), f"'{word}' is not for models to call, nor a name for theirs")
        if problem := _problem(text, word, found):
            raise _forbidden(name, text, found.start(), problem)
    _check_getattr(name, text)


def _problem(text: str, word: str | None, found: re.Match[str]) -> str | None:
    match word:
        case "ops":
            return _of_ops(text, found)
        case "torch":
            return _of_torch(text, found.end())
        case "getattr":
            return None if _OPENING.match(text, found.end()) else "'getattr' is not called"
        case _:
            return None


def _of_ops(text: str, found: re.Match[str]) -> str | None:
    if _AFTER_DOT.search(text, max(0, found.start() - 8), found.start()) or _ANNOTATION.match(text, found.end()):
        return None

    namespace = _MEMBER.match(text, found.end())
    if namespace is None:
        return "'ops' stands without a namespace"
    if namespace[1] not in OPERATOR_NAMESPACES:
        operator = _MEMBER.match(text, namespace.end())
        return f"'ops.{namespace[1]}{f'.{operator[1]}' if operator else ''}' is of a namespace that is not known"
    return None


def _of_torch(text: str, end: int) -> str | None:
    member = _MEMBER.match(text, end)
    if member is None:
        return "'torch' stands without a function"
    if member[1] != "classes":
        return None

    namespace = _MEMBER.match(text, member.end())
    named = namespace[1] if namespace else ""
    return None if named in CLASS_NAMESPACES else f"'torch.classes.{named}' is of a namespace that is not known"


def _check_getattr(name: str, text: str) -> None:
    """Look at each string inside a getattr's brackets: in one piece, without escapes, no name that is forbidden."""
    # Per open bracket, whether it or one around it is a getattr's.
    within = [False]
    for found in _BRACKETS.finditer(text):
        written = found[0]
        if written.endswith("("):
            within.append(within[-1] or written != "(")
        elif written == ")":
            within.pop()
        elif within[-1] and not _is_plain_attribute(written, text, found.end()):
            raise _forbidden(name, text, found.start(), f"'getattr' is asked for {written}")
        if not 0 < len(within) < _DEEPEST:
            raise _forbidden(name, text, found.start(), "brackets are not as TorchScript writes its code")


def _is_plain_attribute(written: str, text: str, end: int) -> bool:
    is_whole = "\\" not in written and not _NEXT_STRING.match(text, end)
    return is_whole and written[1:-1] not in FORBIDDEN_NAMES | _ROOTS


def _forbidden(name: str, text: str, position: int, problem: str) -> ForbiddenCode:
    line = text.count("\n", 0, position) + 1
    return ForbiddenCode(f"{name}, line {line}: {problem}.")


def _end(match: re.Match[str] | None) -> int:
    return match.end() if match else 0
