"""Who may have memory, for any crowd of runners."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.services.catalog import DesiredVersion
from model_store.model_ref import ModelRef
from workers.controller.budget import MIB, NO_ROOM, NO_ROOM_BESIDE_FIXED, Tenant, allot

BUDGET = 100


def tenant(number: int, need_bytes: int = 10, **changes: Any) -> Tenant:
    """Return what version `number` claims; with `is_running=True` it runs already, and holds `shared_bytes` more."""
    is_running, shared_bytes = changes.pop("is_running", False), changes.pop("shared_bytes", 0)
    version = DesiredVersion(ref=ModelRef("digits", number + 1), digest=f"{number:064x}")
    claim = Tenant(version=version, need_bytes=need_bytes, **changes)
    return replace(claim, address=f"{number}", held_bytes=need_bytes + shared_bytes) if is_running else claim


@st.composite
def crowds(draw: st.DrawFn) -> list[Tenant]:
    """Draw tenants of all kinds, each of a version of its own."""
    kind: Any = st.fixed_dictionaries(
        {
            "need_bytes": st.integers(1, 60),
            "shared_bytes": st.integers(0, 10),
            "is_running": st.booleans(),
            "is_fixed": st.booleans(),
            "is_settled": st.booleans(),
            "unused_s": st.floats(0.0, 100.0),
            "waited_s": st.none() | st.floats(0.0, 30.0),
        }
    )
    drawn: list[dict[str, Any]] = draw(st.lists(kind, max_size=12))
    return [tenant(number, **fields) for number, fields in enumerate(drawn)]


def addresses(crowd: list[Tenant]) -> set[str]:
    return {each.address for each in crowd if each.address}


@given(crowds())
def test_what_starts_fits_beside_what_cannot_go(crowd: list[Tenant]) -> None:
    outcome = allot(crowd, BUDGET)
    started = sum(each.need_bytes for each in crowd if each.version in outcome.start)
    fixed = sum(each.held_bytes for each in crowd if each.is_fixed)

    assert not outcome.start or started + fixed <= BUDGET


@given(crowds())
def test_room_is_made_as_far_as_anybody_may_go(crowd: list[Tenant]) -> None:
    outcome = allot(crowd, BUDGET)
    started = sum(each.need_bytes for each in crowd if each.version in outcome.start)
    left = sum(each.held_bytes for each in crowd) - sum(
        each.need_bytes for each in crowd if each.address in {*outcome.evict} - {""}
    )
    movable = [each for each in crowd if each.address and each.is_settled and not each.is_fixed]

    assert started + left <= BUDGET or addresses(movable) == set(outcome.evict)


@given(crowds())
def test_fixed_and_new_runners_are_never_evicted(crowd: list[Tenant]) -> None:
    movable = [each for each in crowd if each.is_settled and not each.is_fixed]

    assert set(allot(crowd, BUDGET).evict) <= addresses(movable)


@given(crowds())
def test_least_recently_used_go_first(crowd: list[Tenant]) -> None:
    evicted = set(allot(crowd, BUDGET).evict)
    movable = [each for each in crowd if each.address and each.is_settled and not each.is_fixed]
    kept = [each.unused_s for each in movable if each.address not in evicted]
    gone = [each.unused_s for each in movable if each.address in evicted]

    assert not (kept and gone) or max(kept) <= min(gone)


@given(crowds())
def test_nobody_is_evicted_without_need(crowd: list[Tenant]) -> None:
    outcome = allot(crowd, BUDGET)
    runs = sum(each.held_bytes for each in crowd)
    comes = sum(each.need_bytes for each in crowd if each.version in outcome.start)

    assert not outcome.evict or runs + comes > BUDGET


@given(crowds())
def test_each_missing_version_starts_or_hears_why_not(crowd: list[Tenant]) -> None:
    outcome = allot(crowd, BUDGET)
    missing = [each.version for each in crowd if not each.address]

    assert sorted(each.ref for each in missing) == sorted(
        each.ref for each in (*outcome.start, *outcome.held_back, *outcome.oversized)
    )


@given(crowds())
def test_zero_is_without_a_limit(crowd: list[Tenant]) -> None:
    outcome = allot(crowd, 0)

    assert outcome.start == [each.version for each in crowd if not each.address]
    assert outcome.evict == ()


def test_longest_wait_comes_first() -> None:
    late, early = tenant(1, 60, waited_s=1.0), tenant(2, 60, waited_s=2.0)

    outcome = allot([late, early], BUDGET)

    assert outcome.start == [early.version]
    assert outcome.held_back == {late.version: NO_ROOM_BESIDE_FIXED}


def test_merely_named_version_waits_for_room() -> None:
    named = tenant(1, 60)

    outcome = allot([named, tenant(2, 60, is_running=True)], BUDGET)

    assert (outcome.start, outcome.evict, outcome.held_back) == ([], [], {named.version: NO_ROOM})


def test_runner_that_outgrew_the_budget_goes_before_older_ones() -> None:
    giant, old = tenant(1, 101, is_running=True, unused_s=0.0), tenant(2, is_running=True, unused_s=50.0)

    assert allot([old, giant], BUDGET).evict == [giant.address]


def test_oversized_version_hears_both_numbers() -> None:
    giant = tenant(1, 3 * MIB)

    assert allot([giant], 2 * MIB).oversized == {
        giant.version: "It needs about 3 MiB, more than all of MEMORY_BUDGET (2 MiB)."
    }
