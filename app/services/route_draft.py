"""A route as somebody wants it, and everything that can be wrong with it."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from app.errors import InvalidFields, InvalidWeights, VersionNotFound
from app.services.allocation import LONGEST_SUBJECT, shares
from app.services.catalog import CatalogModel

MOST_VARIANTS: Final = 32
MOST_OVERRIDES: Final = 1000
LONGEST_SALT: Final = 64
LARGEST_WEIGHT: Final = 1e9

# It stands in headers, log lines and metrics.
_VARIANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NAME_RULE = "Use 1 to 64 of A-Z a-z 0-9 . _ - , starting with a letter or digit."

Problem = tuple[str, str]
"""Which field is wrong, and a sentence."""


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One branch of a route: its name, the version it leads to (a number or an alias), and its weight."""

    name: str
    version: int | str
    weight: float


@dataclass(frozen=True, kw_only=True)
class Override:
    """A client or a subject that gets a variant whatever its bucket says."""

    variant: str
    client: str | None = None
    subject: str | None = None

    @property
    def whose(self) -> tuple[str, str]:
        """Whether it is about a client or a subject, and which."""
        return ("client", self.client or "") if self.subject is None else ("subject", self.subject)


@dataclass(frozen=True, kw_only=True)
class RouteDraft:
    """How a model's traffic is to split. Without a salt it keeps the one there is, or gets a random one.

    :raises InvalidFields: naming every field that is wrong.
    :raises InvalidWeights: when everything but the weights is right.
    """

    variants: Sequence[Variant]
    overrides: Sequence[Override] = ()
    salt: str | None = None
    sticky_by: str = field(default="subject", init=False)

    def __post_init__(self) -> None:
        _refuse(InvalidFields, [*_counts(self), *_names(self), *_salt(self.salt), *_overrides(self)])
        _refuse(InvalidWeights, list(_weights(self.variants)))

    @property
    def weights(self) -> dict[str, float]:
        """The weight of each variant, by name."""
        return {variant.name: variant.weight for variant in self.variants}

    def check_versions(self, model: CatalogModel) -> None:
        """Refuse variants that lead nowhere.

        :raises InvalidFields: naming them.
        """
        _refuse(InvalidFields, list(_versions(self.variants, model)))

    def document(self, salt: str) -> dict[str, Any]:
        """Return the route as it is kept."""
        overrides = [{one.whose[0]: one.whose[1], "variant": one.variant} for one in self.overrides]
        variants = [asdict(variant) for variant in self.variants]
        return {"variants": variants, "sticky_by": self.sticky_by, "salt": salt, "overrides": overrides}


def _refuse(error: type[InvalidFields], problems: Sequence[Problem]) -> None:
    if not problems:
        return

    errors: dict[str, list[str]] = {}
    for name, sentence in problems:
        errors.setdefault(name, []).append(sentence)
    raise error(errors)


def _counts(draft: RouteDraft) -> Iterator[Problem]:
    if not 1 <= len(draft.variants) <= MOST_VARIANTS:
        yield "variants", f"Send 1 to {MOST_VARIANTS} variants."
    if len(draft.overrides) > MOST_OVERRIDES:
        yield "overrides", f"Send at most {MOST_OVERRIDES} overrides."


def _names(draft: RouteDraft) -> Iterator[Problem]:
    counts = Counter(variant.name for variant in draft.variants)
    for number, variant in enumerate(draft.variants):
        if not _VARIANT.fullmatch(variant.name):
            yield f"variants.{number}.name", _NAME_RULE
        elif counts[variant.name] > 1:
            yield f"variants.{number}.name", f"{counts[variant.name]} variants are called '{variant.name}'."


def _salt(salt: str | None) -> Iterator[Problem]:
    if salt is not None and not (1 <= len(salt) <= LONGEST_SALT and salt.isprintable()):
        yield "salt", f"Send 1 to {LONGEST_SALT} printable characters."


def _overrides(draft: RouteDraft) -> Iterator[Problem]:
    names = {variant.name for variant in draft.variants}
    counts = Counter(override.whose for override in draft.overrides)
    for number, override in enumerate(draft.overrides):
        field_name = f"overrides.{number}"
        kind, whose = override.whose
        if (override.client is None) == (override.subject is None):
            yield field_name, "Name either a client or a subject."
        elif not (1 <= len(whose) <= LONGEST_SUBJECT and whose.isprintable()):
            yield f"{field_name}.{kind}", f"Send 1 to {LONGEST_SUBJECT} printable characters."
        elif counts[override.whose] > 1:
            yield f"{field_name}.{kind}", f"{counts[override.whose]} overrides are about the {kind} '{whose}'."
        if override.variant not in names:
            yield f"{field_name}.variant", f"There is no variant '{override.variant[:64]}'."


def _weights(variants: Sequence[Variant]) -> Iterator[Problem]:
    wrong = [number for number, variant in enumerate(variants) if not _is_weight(variant.weight)]
    for number in wrong:
        yield f"variants.{number}.weight", f"Send a number from 0 to {LARGEST_WEIGHT:g}."
    if wrong:
        return
    if not any(variant.weight for variant in variants):
        yield "variants", "Give one variant at least a weight above 0: nobody would be answered."
        return

    due = shares({variant.name: variant.weight for variant in variants})
    for number, variant in enumerate(variants):
        if variant.weight and not due[variant.name]:
            yield f"variants.{number}.weight", "Its share would be less than one caller in 10 000; give it more, or 0."


def _is_weight(weight: float) -> bool:
    return math.isfinite(weight) and 0 <= weight <= LARGEST_WEIGHT


def _versions(variants: Sequence[Variant], model: CatalogModel) -> Iterator[Problem]:
    for number, variant in enumerate(variants):
        try:
            model.resolve(str(variant.version))
        except VersionNotFound as err:
            yield f"variants.{number}.version", err.detail
