"""Code is refused by what it calls, however it is spelled, and by being spelled as TorchScript does not."""

from pathlib import Path

import pytest
import torch

from app.errors import ForbiddenCode
from model_store.torchscript_text import check_text
from tests.factories.archives import CODE, records, with_line

CODE_OF = "  def forward(self, x: Tensor) -> Tensor:\n    {}\n    return x\n"
# Each was seen to write a file or to print.
WORKING_EVASIONS = [
    't = torch\n    t.save(x, "{path}")',
    'ops.aten.save(x, "{path}")',
    'o = ops\n    o.aten.save(x, "{path}")',
    'getattr(torch, "save")(x, "{path}")',
    'getattr(torch, "sa" "ve")(x, "{path}")',
    'getattr(torch, "sa\\166e")(x, "{path}")',
    'torch.autograd.save(x, "{path}")',
    'torch .\\\n  save(x, "{path}")',
    'torch\t.\tsave (x, "{path}")',
    'f = torch.save\n    f(x, "{path}")',
    '(torch\n    ).save(x, "{path}")',
]
REFUSED = {
    'torch.save(x, "f")': "'save'",
    'torch.from_file("/etc/passwd", False, 4)': "'from_file'",
    'print("x")': "'print'",
    "p = print": "'print'",
    'torch._print("x")': "'_print'",
    'ops.prim.Print("x")': "'Print'",
    "ops.prim.IgnoredPythonOp(x)": "'IgnoredPythonOp'",
    'ops.c10d.send(x)': "'ops.c10d.send'",
    'ops . debugprims .load_tensor("x")': "'ops.debugprims.load_tensor'",
    "ops": "'ops' stands without",
    "ops.": "'ops.return'",
    "(torch)": "'torch' stands without",
    'getattr(x, "classes")': "asked for \"classes\"",
    'getattr(ops, "c10d")': "'ops' stands without",
    'getattr(self, "a", "save")': "asked for \"save\"",
    "g = getattr": "'getattr' is not called",
    '__torch__.torch.classes.dist_c10d.FileStore("f", 1)': "'torch.classes.dist_c10d'",
    "(__torch__.torch.classes).dist_c10d": "'torch.classes.'",
    "x  # a remark": "'#'",
    's = """x"""': "'\"'",
    "s = '''x'''": '"\'"',
    "a = 1; b = 2": "';'",
    "é = 1": "'é'",
    "x \\\n": r"'\\'",
    's = "x': "'\"'",
    "))": "brackets",
}  # fmt: skip
ACCEPTED = [
    's = "print(x) # torch.save ops.evil.run"',
    's = "it\'s \\"quoted\\" \\303\\251"',
    "_0 = getattr(self.seq, \"0\")",
    "_0 = getattr(getattr(self, \"0\"), \"1\")",
    "ops.prim.RaiseException(\"ops.foo\", \"builtins.ValueError\")",
    "ops.quantized.linear(x, 1., 2)",
    "y = torch.add(x, -4.+2.j)",
    "y = self.ops",
    "y = torch.warn(\"deprecated\", 2)",
    "a : __torch__.torch.classes.quantized.LinearPackedParamsBase",
    "saved, printer, ops_count = x, x, x",
]  # fmt: skip


@pytest.mark.parametrize("line", WORKING_EVASIONS)
def test_what_gets_round_a_search_for_words_is_refused(tmp_path: Path, line: str) -> None:
    written = tmp_path / "written"
    path = with_line(tmp_path / "model.pt", line.format(path=written))
    torch.jit.load(path)(torch.ones(1))
    assert written.exists(), "not an evasion any more: take it from the list"

    with pytest.raises(ForbiddenCode, match=r"archives\.py, line \d+: "):
        check_text(CODE, records(path.read_bytes())[CODE])


@pytest.mark.parametrize(("line", "named"), REFUSED.items())
def test_a_finding_names_the_line_and_the_call(line: str, named: str) -> None:
    with pytest.raises(ForbiddenCode) as caught:
        check_text("code/x.py", CODE_OF.format(line).encode("latin-1"))

    assert caught.value.detail.startswith("code/x.py, line 2: ")
    assert named in caught.value.detail


@pytest.mark.parametrize("line", ACCEPTED)
def test_what_models_write_is_accepted(line: str) -> None:
    check_text("code/x.py", CODE_OF.format(line).encode())


@pytest.mark.parametrize("line", ["ops.aten.add(x, x)\n    ", 'getattr(self, "x")\n    ', 'x."save"'])
def test_long_code_is_read_in_one_go(line: str) -> None:
    check_text("code/x.py", CODE_OF.format(line * 5000).encode())


@pytest.mark.parametrize("line", ["(" * 2000, ")", "getattr(x, " * 2000])
def test_brackets_without_end_are_refused(line: str) -> None:
    with pytest.raises(ForbiddenCode, match="brackets"):
        check_text("code/x.py", CODE_OF.format(line).encode())
