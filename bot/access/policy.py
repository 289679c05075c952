"""A policy: what `/setup` stores for one server (one chat, where there are no servers), or for everywhere.

It can only restrict what the configuration allows: its numbers lower the configuration's, and a server's lists let in nobody whom the
configuration keeps out. Only the policy for everywhere, which operators set, adds to the configuration's lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from pydantic import Field

from bot.config.schema import AccessOptions, Caps, ConfigSection, Fraction, Key, LimitOptions, RoleLimits
from bot.message import Author

LISTS: Final = (
    *(f"{verdict}_{whom}" for verdict in ("allow", "deny") for whom in ("servers", "channels", "roles", "people")),
    "allow_bots",
    "moderator_roles",
)


class Policy(ConfigSection):
    """One stored policy. Empty fields restrict nothing."""

    access: AccessOptions = AccessOptions()
    cooldown_seconds: Fraction = 0
    caps: Caps = Field(default={})
    roles: Mapping[Key, RoleLimits] = Field(default={})

    def allowance(self, author: Author, caps: Mapping[str, float]) -> Allowance:
        """What this policy alone allows a person, with `caps` for the settings that it does not cap."""
        return allowance(LimitOptions(cooldown_seconds=self.cooldown_seconds, caps={**caps, **self.caps}, roles=self.roles), author)

    def question_pause(self, author: Author) -> float:
        """Seconds of pause that this policy demands between two questions of this person."""
        return self.allowance(author, {}).cooldown_seconds

    def merged_into(self, frame: AccessOptions) -> AccessOptions:
        """The configuration's lists with this policy's added."""
        lists = {name: getattr(frame, name) | getattr(self.access, name) for name in LISTS}
        adults = frame.age_restricted_only or self.access.age_restricted_only
        return frame.model_copy(update={**lists, "age_restricted_only": adults})

    @property
    def as_own_check(self) -> AccessOptions:
        """These lists, to be checked by themselves: everybody is let in if they name no people or roles to allow."""
        return self.access.model_copy(update={"everyone": not (self.access.allow_people or self.access.allow_roles)})


@dataclass(frozen=True, slots=True)
class Allowance:
    """How much one person may do: what everybody may, or what the most generous of their roles may."""

    burst: int  # events at once …
    cooldown_seconds: float  # … and then one in this time
    caps: Mapping[str, float]  # a setting's highest value

    def restricted_by(self, policy: Policy, author: Author) -> Allowance:
        """What the policy leaves of it. Its cooldown counts between questions only (`Policy.question_pause`), not between other events."""
        local = policy.allowance(author, self.caps)
        caps = {name: min(cap, self.caps.get(name, cap)) for name, cap in local.caps.items()}
        return replace(self, caps=caps)


def allowance(options: LimitOptions, author: Author) -> Allowance:
    roles = [options.roles[key] for key in author.role_keys if key in options.roles]
    bursts = [role.burst for role in roles if role.burst is not None]
    cooldowns = [role.cooldown_seconds for role in roles if role.cooldown_seconds is not None]
    caps = dict(options.caps)
    for name in caps:
        caps[name] = max((role.caps[name] for role in roles if name in role.caps), default=caps[name])
    return Allowance(max(bursts, default=options.burst), min(cooldowns, default=options.cooldown_seconds), caps)


def highest_cap(limits: LimitOptions, name: str) -> float | None:
    """The highest value of a setting that anybody may set; None: no cap."""
    caps = (role.caps[name] for role in limits.roles.values() if name in role.caps)
    return max((limits.caps[name], *caps)) if name in limits.caps else None
