"""Every file of the product, and every test, keeps the house rules."""

import re
import statistics

import pytest

from tests.architecture.rules import PRODUCT_RULES, TEST_RULES, Rule
from tests.architecture.source import ROOT, Function, SourceFile, product_files, project_files, test_files

_MACHINE_PATH = re.compile(r"(?<![\w.$}{)~*-])/(?:work|farm|root|home|Users|tmp)/[A-Za-z0-9_.-]+")
_TEXT_SUFFIXES = {"", ".cfg", ".conf", ".example", ".ini", ".json", ".lua", ".mako", ".md", ".py", ".sh", ".toml"}


@pytest.mark.parametrize("rule", PRODUCT_RULES, ids=lambda rule: rule.__name__)
def test_product_keeps(rule: Rule) -> None:
    """Check one rule on every product file."""
    assert_none(rule, product_files())


@pytest.mark.parametrize("rule", TEST_RULES, ids=lambda rule: rule.__name__)
def test_tests_keep(rule: Rule) -> None:
    """Check one rule on every test file."""
    assert_none(rule, test_files())


def test_functions_are_short_on_the_whole() -> None:
    """Half of the product's functions fit in 6 lines, nine tenths in 18."""
    functions = [function for source in product_files() for function in source.functions]

    assert_distribution(functions, median=6, p90=18)


def test_tests_are_short_on_the_whole() -> None:
    """Half of the tests fit in 6 lines, nine tenths in 15."""
    functions = [function for source in test_files() for function in source.functions]

    assert_distribution(
        [function for function in functions if function.node.name.startswith("test_")], median=6, p90=15
    )


def test_no_path_of_a_machine() -> None:
    """No file but a test names a folder of the machine it was written on."""
    found = [
        f"{path.relative_to(ROOT)}:{number} {match[0]}"
        for path in project_files()
        if path.suffix in _TEXT_SUFFIXES and path.relative_to(ROOT).parts[0] != "tests"
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (match := _MACHINE_PATH.search(line))
    ]

    assert not found, "Absolute paths of one machine:\n" + "\n".join(found)


def assert_none(rule: Rule, sources: list[SourceFile]) -> None:
    """Fail with one line per breach."""
    breaches = [breach for source in sources for breach in rule(source)]

    if breaches:
        pytest.fail(f"{rule.__doc__}\n" + "\n".join(breaches), pytrace=False)


def assert_distribution(functions: list[Function], *, median: float, p90: float) -> None:
    """Fail when the median or the ninth decile of the bodies is over its aim, naming the longest."""
    sizes = [function.body_lines for function in functions]
    longest = sorted(functions, key=lambda function: -function.body_lines)[:15]
    text = "\n".join(f"{item.place} {item.body_lines}" for item in longest)

    assert statistics.median(sizes) <= median, f"The median body is over {median} lines; the longest are\n{text}"
    assert statistics.quantiles(sizes, n=10)[-1] <= p90, f"The p90 body is over {p90} lines; the longest are\n{text}"
