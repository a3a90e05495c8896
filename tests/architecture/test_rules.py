"""Each rule sees the breach it is there for, so that a green run means something."""

import pytest

from tests.architecture import rules
from tests.architecture.source import SourceFile, product_files

LONG_BODY = "\n".join(f"    x = {number}" for number in range(41))

BREACHES = [
    (rules.file_is_short, "app/a.py", "x = 1\n" * 301),
    (rules.functions_are_short, "app/a.py", f"def f():\n{LONG_BODY}\n"),
    (rules.functions_are_short, "tests/unit/test_a.py", "def test_f():\n" + "    assert 1\n" * 31),
    (rules.parameters_are_few, "app/a.py", "def f(a, b, c, *, d, e, f, g): ...\n"),
    (rules.module_says_what_it_is, "app/a.py", "x = 1\n"),
    (rules.module_says_what_it_is, "app/a.py", '"""No end"""\n'),
    (rules.public_names_are_explained, "app/a.py", "class A:\n    '''A.'''\n    def f(self): ...\n"),
    (rules.public_names_are_explained, "app/a.py", "if x:\n    def f(): ...\n"),
    (rules.package_door_is_a_sign, "app/a/__init__.py", '"""A."""\nimport os\n'),
    (rules.imports_stand_on_top, "app/a.py", "def f():\n    import os\n"),
    (rules.environment_is_read_in_settings, "app/a.py", "import os\nx = os.environ['A']\n"),
    (rules.environment_is_read_in_settings, "app/a.py", "import os\nx = os.getenv('A')\n"),
    (rules.environment_is_read_in_settings, "app/a.py", "from os import environ\n"),
    (rules.errors_are_not_swallowed, "app/a.py", "try:\n    f()\nexcept Exception:\n    pass\n"),
    (rules.errors_are_not_swallowed, "app/a.py", "try:\n    f()\nexcept (OSError, BaseException):\n    pass\n"),
    (rules.module_has_a_noun, "app/utils.py", ""),
    (rules.logger_is_called_logger, "app/a.py", "log = logging.getLogger(__name__)\n"),
    (rules.nothing_is_left_for_later, "app/a.py", "# FIX" + "ME later\n"),
]

FINE = [
    (rules.functions_are_short, 'def f():\n    """Doc."""\n\n    # Why.\n    return 1\n'),
    (rules.environment_is_read_in_settings, "import os\nos.environ['A'] = '1'\nos.environ.setdefault('B', '2')\n"),
    (rules.errors_are_not_swallowed, "try:\n    f()\nexcept Exception:\n    undo()\n    raise\n"),
    (rules.public_names_are_explained, "def _f(): ...\n"),
]


@pytest.mark.parametrize(("rule", "path", "text"), BREACHES)
def test_rule_sees_a_breach(rule: rules.Rule, path: str, text: str) -> None:
    """Plant one breach and find it."""
    assert list(rule(SourceFile(path, text)))


@pytest.mark.parametrize(("rule", "text"), FINE)
def test_rule_lets_good_code_pass(rule: rules.Rule, text: str) -> None:
    """Find nothing in code that keeps the rule."""
    assert not list(rule(SourceFile("app/a.py", text)))


def test_every_rule_has_a_breach() -> None:
    """Keep the table above complete."""
    assert {rule for rule, _, _ in BREACHES} == {*rules.PRODUCT_RULES, *rules.TEST_RULES}


def test_exceptions_name_what_is_there() -> None:
    """An exception whose file or function is gone goes, too."""
    functions = {f"{source.path}:{function.name}" for source in product_files() for function in source.functions}
    files = {source.path for source in product_files()}

    assert {*rules.LONG_FUNCTIONS, *rules.LAST_LINES_OF_DEFENCE} <= functions
    assert rules.LONG_FILES.keys() <= files
