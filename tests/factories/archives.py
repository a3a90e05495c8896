"""TorchScript archives as tests need them: really saved, or with their records changed by hand."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

CODE = "code/__torch__/tests/factories/archives.py"
"""Where the code of a module lies that this file defines."""


class Identity(nn.Module):
    """Answers what it is given."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def saved(module: nn.Module) -> bytes:
    """Return the archive of a module: scripted, if it is not TorchScript already."""
    scripted = module if isinstance(module, torch.jit.ScriptModule) else torch.jit.script(module.eval())
    buffer = io.BytesIO()
    torch.jit.save(scripted, buffer)
    return buffer.getvalue()


def records(archive: bytes) -> dict[str, bytes]:
    """Return an archive's records by their names under its root."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {info.filename.partition("/")[2]: opened.read(info) for info in opened.infolist()}


def write_archive(path: Path, contents: Mapping[str, bytes], *, compression: int = zipfile.ZIP_STORED) -> Path:
    """Write an archive of these records."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(f"archive/{name}", data)
    return path


def with_line(path: Path, line: str) -> Path:
    """Write the archive of Identity with one more line, or several, before its `return`."""
    contents = records(saved(Identity()))
    code = contents[CODE].decode().replace("    return x", f"    {line}\n    return x")
    return write_archive(path, {**contents, CODE: code.encode("latin-1")})
