"""Reads and stores policies: who may use the bot in a place, and how much, by the configuration and by `/setup`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from time import monotonic, time
from typing import Final

from bot.access.policy import Allowance, Policy, allowance, highest_cap
from bot.access.settings_cache import SettingsCache
from bot.config.schema import AccessOptions, LimitOptions
from bot.message import Author, Place, Value
from bot.store.database import Database
from bot.store.scoped_settings import Home, Scope, change_setting

RULES: Final = "rules"  # the stored setting's name, beside a server's or chat's other settings
EVERYWHERE: Final[Home] = (Scope.SERVER, "*")  # no server has this key
FRESH_SECONDS: Final = 5.0  # a policy is cached so long: then changes by another bot on the same database are seen
NAMING_CHANNELS: Final = ("allow_channels", "deny_channels")
PARSED: Final = 500  # policies that are not parsed again

Edit = Callable[[Policy], Policy]


def policy_home(place: Place) -> Home:
    """Where a place's policy is stored: under its server, or under the chat on platforms without servers."""
    return (Scope.SERVER, place.server_key) if place.server_key else (Scope.CHANNEL, place.channel_key)


class PolicyStore:
    """The policies in force, cached for a moment because every event needs them."""

    def __init__(self, database: Database, access: AccessOptions, limits: LimitOptions, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._access = access
        self._limits = limits
        self.settings = SettingsCache(database, clock)

    async def bot_wide_access(self) -> AccessOptions:
        """The lists that hold everywhere: the configuration's, with what operators added by `/setup`."""
        return (await self.read(EVERYWHERE)).merged_into(self._access)

    async def at_place(self, place: Place) -> Policy:
        """The policy that the managers of this place set."""
        return await self.read(policy_home(place))

    async def allowance(self, place: Place, author: Author) -> Allowance:
        allowed = allowance(self._limits, author)
        for policy in (await self.read(EVERYWHERE), await self.at_place(place)):
            allowed = allowed.restricted_by(policy, author)
        return allowed

    async def question_pauses(self, place: Place, author: Author) -> tuple[tuple[Home, float], ...]:
        """Seconds of pause between two questions of this person, each with the home of the policy that demands it."""
        asked = [(home, (await self.read(home)).question_pause(author)) for home in (EVERYWHERE, policy_home(place))]
        return tuple((home, seconds) for home, seconds in asked if seconds)

    async def moderates(self, place: Place, author: Author) -> bool:
        """Whether this person may act on what others asked here: by the platform's rights, or by a role that was named."""
        named = (await self.bot_wide_access()).moderator_roles | (await self.at_place(place)).access.moderator_roles
        return author.manages or author.moderates or bool(author.role_keys & named)

    def is_operator(self, author: Author) -> bool:
        """Whether this person may set the policy that holds everywhere."""
        return author.key in self._access.operators

    def highest_cap(self, name: str) -> float | None:
        """The highest value of a setting that the configuration allows to anybody; None: no cap."""
        return highest_cap(self._limits, name)

    async def change(self, home: Home, edit: Edit, author: Author) -> Policy:
        """Replace the stored policy by what `edit` makes of it; the new one. Raises what `edit` raises."""
        return await self._change(home, edit, author.key)

    async def move_place(self, old: Place, new: Place) -> None:
        """A channel got a new id: add that to every list that names the old one, since nobody edits the configuration for it."""
        frame = await self.bot_wide_access()
        if lists := [name for name in NAMING_CHANNELS if old.channel_key in getattr(frame, name)]:
            await self._change(EVERYWHERE, partial(_listing, lists, new.channel_key), old.channel_key)

    async def read(self, home: Home) -> Policy:
        return _parse((await self.settings.read([home], FRESH_SECONDS))[home].get(RULES))

    async def _change(self, home: Home, edit: Edit, set_by: str) -> Policy:
        def changed(stored: Value | None) -> Value:
            return edit(_parse(stored)).model_dump_json(exclude_defaults=True)

        policy = _parse(await self._database.write(change_setting, home, RULES, changed, set_by=set_by, at=time()))
        self.settings.forget(home)
        return policy


@lru_cache(PARSED)
def _parse(stored: Value | None) -> Policy:
    return Policy() if stored is None else Policy.model_validate_json(str(stored))


def _listing(lists: Sequence[str], key: str, policy: Policy) -> Policy:
    """The policy with `key` added to these lists."""
    more = {name: getattr(policy.access, name) | {key} for name in lists}
    return policy.model_copy(update={"access": policy.access.model_copy(update=more)})
