"""The rules that look at one file at a time. Each yields a sentence per breach, starting with `path:line`."""

import ast
import re
from collections.abc import Callable, Iterator

from tests.architecture.source import FunctionNode, SourceFile

Rule = Callable[[SourceFile], Iterator[str]]

LONGEST_FILE = 300
LONGEST_FUNCTION = 40
LONGEST_TEST = 30
MOST_PARAMETERS = 6
NAMELESS = frozenset({"utils", "util", "helpers", "common", "misc", "manager", "core"})

# What may be over a limit, and why. A new entry needs as good a reason.
LONG_FILES = {"app/errors.py": "one tree in one file, most of it one sentence per error"}
LONG_FUNCTIONS = {
    "app/factory.py:wire": "a table, one line per service",
    "app/settings.py:read_settings": "a table, one line per setting",
}

# The last lines of defence; everywhere else an unknown error must travel on.
LAST_LINES_OF_DEFENCE = {
    "deploy/doctor/examination.py:_look": "the other checks still look, and what went wrong is told",
    "app/inference/connection.py:RunnerConnection._receive": "every caller of the runner would wait for it in vain",
    "app/web/fast_path/lane.py:FastPath._answer": "what Flask's handler of HTTP 500 is to requests behind it",
    "app/web/sockets/calls.py:EventCalls._outcomes": "the events of many clients' sockets wait for the same call",
    "app/web/sockets/conversation.py:Conversation.run": "the socket loop: its client is to be told, with 1011",
    "app/web/sockets/exchange.py:Exchange._be_answered": "other sockets are answered next, in the same greenlet",
    "app/web/sockets/open_sockets.py:OpenSockets._keep": "nobody else keeps the sessions of a web worker's sockets",
    "app/web/sockets/open_sockets.py:_look_at": "the sockets of others are looked after next, in the same greenlet",
    "workers/controller/__main__.py:run_and_exit": "the process ends either way, and its runners must not",
    "workers/runner/batch.py:BatchRunner.ready": "a row's bytes are hostile, and the runner is others' too",
    "workers/runner/batch.py:BatchRunner._answer_group": "the rows of a batch are to fail one by one",
    "workers/runner/batcher.py:Batcher._forward": "the runner loop: what one key holds must not end it for all others",
    "workers/runner/loading.py:Loading._run": "the artifact is foreign, and the runner has to say that it failed",
}

# The settings, and the rules that their values follow: environs' own words for them.
SETTINGS = (
    "app/settings.py",
    "app/stream_settings.py",
    "app/secret_file.py",
    "app/setting_rules.py",
    "app/settings_file.py",
)

# Spelled so that it does not find itself.
_MARKER = re.compile(r"\b(T[O]DO|F[I]XME|X[X]X|H[A]CK)\b")


def file_is_short(source: SourceFile) -> Iterator[str]:
    """No file is over 300 lines."""
    count = len(source.lines)
    if count > LONGEST_FILE and source.path not in LONG_FILES:
        yield f"{source.path}:1 has {count} lines; split it, {LONGEST_FILE} is where to stop."


def functions_are_short(source: SourceFile) -> Iterator[str]:
    """No function's body is over 40 lines, no test's over 30."""
    for function in source.functions:
        limit = LONGEST_TEST if function.node.name.startswith("test_") else LONGEST_FUNCTION
        count = function.body_lines
        if count > limit and f"{source.path}:{function.name}" not in LONG_FUNCTIONS:
            yield f"{function.place} has {count} lines of code; {limit} is the limit."


def parameters_are_few(source: SourceFile) -> Iterator[str]:
    """No function takes more than six parameters."""
    for function in source.functions:
        count = len(function.parameters)
        if count > MOST_PARAMETERS:
            yield f"{function.place} takes {count} parameters; group some in a dataclass."


def module_says_what_it_is(source: SourceFile) -> Iterator[str]:
    """Each module opens with one sentence that ends in a full stop or a colon."""
    docstring = ast.get_docstring(source.tree)
    if not docstring:
        yield f"{source.path}:1 has no docstring; open it with one sentence that says what the module is."
    elif not docstring.split("\n\n")[0].strip().endswith((".", ":", "::")):
        yield f"{source.path}:1 opens with a docstring whose first sentence does not end."


def public_names_are_explained(source: SourceFile) -> Iterator[str]:
    """Each public class, function and method has a docstring; overridden dunders have not."""
    for node, name in _public_definitions(source.tree, prefix=""):
        if not ast.get_docstring(node):
            yield f"{source.path}:{node.lineno} {name} is public and has no docstring."


def package_door_is_a_sign(source: SourceFile) -> Iterator[str]:
    """Each package's `__init__` is a docstring and nothing else: nothing is imported there."""
    if source.path.endswith("__init__.py") and len(source.tree.body) != 1:
        yield f"{source.path}:1 holds more than its docstring; an __init__ is only the sign on the door."


def imports_stand_on_top(source: SourceFile) -> Iterator[str]:
    """No function imports anything."""
    for function in source.functions:
        for node in ast.walk(function.node):
            if isinstance(node, ast.Import | ast.ImportFrom):
                yield f"{source.path}:{node.lineno} {function.name} imports inside its body; import at the top."


def environment_is_read_in_settings(source: SourceFile) -> Iterator[str]:
    """Only app/settings.py reads the environment; setting a variable for a child or a library is allowed."""
    if source.path in SETTINGS:
        return
    written = _written_environment(source.tree)
    for node in ast.walk(source.tree):
        if _reads_environment(node) and node not in written:
            line = getattr(node, "lineno", 1)
            yield f"{source.path}:{line} reads the environment; make it a field of Settings in app/settings.py."


def errors_are_not_swallowed(source: SourceFile) -> Iterator[str]:
    """`except Exception` stands at the last lines of defence only, unless it raises again."""
    for handler in (node for node in ast.walk(source.tree) if isinstance(node, ast.ExceptHandler)):
        if not _is_broad(handler) or isinstance(handler.body[-1], ast.Raise):
            continue
        if f"{source.path}:{source.function_at(handler.lineno)}" not in LAST_LINES_OF_DEFENCE:
            yield f"{source.path}:{handler.lineno} catches every exception; name the ones this line can mend."


def module_has_a_noun(source: SourceFile) -> Iterator[str]:
    """No module is called utils, helpers, common, misc, manager or core."""
    for part in source.path.removesuffix(".py").split("/"):
        if part in NAMELESS:
            yield f"{source.path}:1 '{part}' says nothing; name the module after the one idea it holds."


def logger_is_called_logger(source: SourceFile) -> Iterator[str]:
    """The module's logger is `logger`."""
    for node in source.tree.body:
        if isinstance(node, ast.Assign) and "getLogger" in ast.dump(node.value):
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if names != {"logger"}:
                yield f"{source.path}:{node.lineno} names its logger {', '.join(names)}; call it logger."


def nothing_is_left_for_later(source: SourceFile) -> Iterator[str]:
    """No marker of unfinished work."""
    for number, line in enumerate(source.lines, 1):
        if marker := _MARKER.search(line):
            yield f"{source.path}:{number} says {marker[0]}; do it now or open an issue and take the marker out."


PRODUCT_RULES: tuple[Rule, ...] = (
    file_is_short,
    functions_are_short,
    parameters_are_few,
    module_says_what_it_is,
    public_names_are_explained,
    package_door_is_a_sign,
    imports_stand_on_top,
    environment_is_read_in_settings,
    errors_are_not_swallowed,
    module_has_a_noun,
    logger_is_called_logger,
    nothing_is_left_for_later,
)
TEST_RULES: tuple[Rule, ...] = (
    file_is_short,
    functions_are_short,
    module_says_what_it_is,
    package_door_is_a_sign,
    module_has_a_noun,
)


def _public_definitions(parent: ast.AST, *, prefix: str) -> Iterator[tuple[FunctionNode | ast.ClassDef, str]]:
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.If | ast.Try):
            yield from _public_definitions(node, prefix=prefix)
        if isinstance(node, FunctionNode | ast.ClassDef) and not node.name.startswith("_"):
            yield node, prefix + node.name
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public_definitions(node, prefix=f"{prefix}{node.name}.")


def _reads_environment(node: ast.AST) -> bool:
    match node:
        case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv"):
            return True
        case ast.ImportFrom(module="os", names=names):
            return any(alias.name in {"environ", "environb", "getenv"} for alias in names)
        case ast.ImportFrom(module="environs"):
            return True
        case _:
            return False


def _written_environment(tree: ast.Module) -> set[ast.AST]:
    """Return the `os.environ` nodes that are only written to."""
    written: set[ast.AST] = set()
    for node in ast.walk(tree):
        match node:
            case ast.Subscript(value=environ, ctx=ast.Store() | ast.Del()):
                written.add(environ)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=environ, attr="update" | "setdefault" | "pop"))):
                written.add(environ)
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=environ, attr="clear"))):
                written.add(environ)
    return written


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    names = {kind.id for kind in caught if isinstance(kind, ast.Name)}
    return handler.type is None or bool(names & {"Exception", "BaseException"})
