"""Cache-Control of requests, as RFC 9111 has it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.inference.cache import NO_CACHE, USE_CACHE, CacheDirectives, CacheUse
from app.web.cache_control import cache_directives

BYPASS = CacheDirectives(CacheUse.BYPASS)


@pytest.mark.parametrize("header", [None, "", "no-transform", "max-stale=5, private", 'x="no-store, no-cache"'])
def test_the_cache_is_used_unless_somebody_minds(header: str | None) -> None:
    assert cache_directives(header) == USE_CACHE


@pytest.mark.parametrize(
    "header", ["no-cache", "NO-CACHE", " no-cache ,", "x, no-cache", 'no-cache="a"', "no-cache\t,y=1"]
)
def test_no_cache_wants_a_fresh_answer(header: str) -> None:
    assert cache_directives(header) == BYPASS


@pytest.mark.parametrize("header", ["no-store", "no-cache, no-store", "no-store,no-cache", "\x00, no-store"])
def test_no_store_beats_no_cache(header: str) -> None:
    assert cache_directives(header) == NO_CACHE


@pytest.mark.parametrize(
    ("header", "max_age_s"),
    [
        ("max-age=30", 30),
        ('max-age="30"', 30),
        ("Max-Age=30, max-age=20", 20),
        ("max-age=9999999999", 9_999_999_999),
        ("max-age=-1", math.inf),
        ("max-age=1.5", math.inf),
        ("max-age=soon", math.inf),
        ("max-age", math.inf),
        ("max-age=", math.inf),
        ("max-age=" + "9" * 5000, math.inf),
        ("max-age=5 5", math.inf),
    ],
)
def test_an_age_bounds_what_will_do(header: str, max_age_s: float) -> None:
    assert cache_directives(header) == CacheDirectives(max_age_s=max_age_s)


def test_nothing_that_is_kept_is_no_second_old() -> None:
    assert cache_directives("max-age=0") == CacheDirectives(CacheUse.BYPASS, 0)


def test_only_kept_answers_may_be_wanted() -> None:
    assert cache_directives("only-if-cached, max-age=9") == CacheDirectives(CacheUse.USE, 9, True)


@pytest.mark.parametrize("junk", ["=", '"', "a b", '"no-store', ";;", "a==b", '="x"'])
def test_what_cannot_be_read_spoils_nothing_else(junk: str) -> None:
    assert cache_directives(f"{junk}, no-cache") == BYPASS


@given(st.text(st.characters(max_codepoint=255), max_size=300))
def test_no_header_is_an_error(header: str) -> None:
    assert isinstance(cache_directives(header), CacheDirectives)
