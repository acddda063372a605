"""How long caches may use a response: the Cache-Control header of `feeds serve` and of exported files."""

from dataclasses import dataclass
from typing import NamedTuple

from feeds.core.model import Site

_DAY_S = 86_400
_MAX_REVALIDATION_S = 60


class CacheControl(NamedTuple):
    """A value of the Cache-Control header, and the time until which it is valid, in seconds since 1970."""

    value: str
    valid_until: float


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How long caches may use a response without revalidation, in seconds (RFC 9111 5.2.2.1, RFC 5861)."""

    max_age: int
    stale_while_revalidate: int
    stale_if_error: int
    ends_at_change: bool = False  # whether max-age never reaches beyond the next scheduled change

    def cache_control(self, next_change_at: float = float("inf"), now: float = 0.0) -> CacheControl:
        """Return the Cache-Control header at a time.

        All times are in seconds since 1970; `next_change_at` is infinite if no change is scheduled.
        """
        age, valid_until = self.max_age, float("inf")
        remaining = next_change_at - now
        # a change that is overdue by more than max_age is ignored: no publisher seems to be running
        if self.ends_at_change and -self.max_age < remaining < self.max_age:
            age = max(1, int(remaining))
            valid_until = min(now + 1, next_change_at) if remaining > 0 else next_change_at + self.max_age
        elif self.ends_at_change and remaining > 0:
            valid_until = next_change_at - self.max_age
        is_shortened = age < self.max_age  # a stale response would lack the scheduled change
        revalidate = 0 if is_shortened else self.stale_while_revalidate
        stale = f", stale-while-revalidate={revalidate}" if revalidate else ""
        return CacheControl(f"public, max-age={age}{stale}, stale-if-error={self.stale_if_error}", valid_until)


def document_cache_policy(site: Site, *, is_immutable: bool = False) -> CachePolicy:
    """Return the policy of a document.

    `is_immutable`: whether the document is a full archive, which later articles don't change.
    """
    if is_immutable:
        return CachePolicy(7 * _DAY_S, _DAY_S, 7 * _DAY_S)
    return CachePolicy(site.max_age, min(site.max_age, _MAX_REVALIDATION_S), _DAY_S, ends_at_change=True)
