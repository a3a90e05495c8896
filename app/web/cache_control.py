"""What a caller's `Cache-Control` (RFC 9111 §5.2.1) asks of Galley's own cache of answers."""

import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from app.inference.cache import USE_CACHE, CacheDirectives, CacheUse

CACHE_CONTROL_HEADER: Final = "Cache-Control"
CACHE_CONTROL_VARIABLE: Final = "HTTP_CACHE_CONTROL"
"""The header as WSGI has it."""

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_DIRECTIVE = re.compile(rf'[ \t]*({_WORD})(?:=(?:({_WORD})|"((?:[^"\\]|\\.)*)"))?[ \t]*(?:,|\Z)', re.DOTALL)
# Delta seconds may have any length; what is beyond this is as good as for ever (RFC 9111 §1.2.2).
_SECONDS = re.compile(r"[0-9]{1,10}")


def cache_directives(header: str | None) -> CacheDirectives:
    """Return what the header asks for; without one, the cache is used.

    `no-cache`, `no-store`, `max-age` and `only-if-cached` count. Unknown directives are ignored, and so is what
    cannot be read. Of several ages the smallest counts.
    """
    return _read(header) if header else USE_CACHE


@lru_cache(maxsize=256)
def _read(header: str) -> CacheDirectives:
    names, max_age_s = set[str](), math.inf
    for name, value in _directives(header):
        names.add(name)
        if name == "max-age" and _SECONDS.fullmatch(value):
            max_age_s = min(max_age_s, int(value))
    return CacheDirectives(_use(names, max_age_s), max_age_s, "only-if-cached" in names)


def _use(names: set[str], max_age_s: float) -> CacheUse:
    if "no-store" in names:
        return CacheUse.OFF
    # No answer is zero seconds old: who takes no older one takes none that is kept.
    if "no-cache" in names or max_age_s == 0:
        return CacheUse.BYPASS

    return CacheUse.USE


def _directives(header: str) -> Iterator[tuple[str, str]]:
    """Yield each directive that can be read: its name in small letters, and its value without quotes."""
    position = 0
    while position < len(header):
        match = _DIRECTIVE.match(header, position)
        if match is None:
            position = _next_element(header, position)
            continue

        name, token, quoted = match.groups()
        yield name.lower(), token or quoted or ""
        position = match.end()


def _next_element(header: str, position: int) -> int:
    comma = header.find(",", position)
    return len(header) if comma < 0 else comma + 1
