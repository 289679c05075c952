"""Who may use the bot here, and how much: the configuration's word, with what `/setup` added to it in the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic, time
from typing import Final

from bot.access.policy import Allowance, Policy, allowance, highest_cap
from bot.config.schema import AccessOptions, LimitOptions
from bot.message import Author, Place, Value
from bot.store.database import Database
from bot.store.settings import Home, Scope, change_setting, read_settings

RULES: Final = "rules"  # kept beside a server's or chat's values
EVERYWHERE: Final[Home] = (Scope.SERVER, "*")  # no server has this key
FRESH_SECONDS: Final = 5.0  # after which another bot's change on the same database is seen
NAMING_CHANNELS: Final = ("allow_channels", "deny_channels")
REMEMBERED: Final = 10_000  # homes

Edit = Callable[[Policy], Policy]


def policy_home(place: Place) -> Home:
    """Where the rules of a place are kept: with its server; of a chat without servers, with the chat."""
    return (Scope.SERVER, place.server_key) if place.server_key else (Scope.CHANNEL, place.channel_key)


class PolicyStore:
    """The rules in force. What was read is remembered for a moment: every event asks."""

    def __init__(self, database: Database, access: AccessOptions, limits: LimitOptions, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._access = access
        self._limits = limits
        self._clock = clock
        self._known: dict[Home, tuple[float, Policy]] = {}

    async def bot_wide_access(self) -> AccessOptions:
        """The configuration's lists, with what operators added."""
        return (await self.read(EVERYWHERE)).merged_into(self._access)

    async def at_place(self, place: Place) -> Policy:
        """What those who manage this place set."""
        return await self.read(policy_home(place))

    async def allowance(self, place: Place, author: Author) -> Allowance:
        allowed = allowance(self._limits, author)
        for policy in (await self.read(EVERYWHERE), await self.at_place(place)):
            allowed = allowed.restricted_by(policy, author)
        return allowed

    async def question_pauses(self, place: Place, author: Author) -> tuple[tuple[Home, float], ...]:
        """The seconds that have to lie between two questions of this person, and where they are asked for."""
        asked = [(home, (await self.read(home)).question_pause(author)) for home in (EVERYWHERE, policy_home(place))]
        return tuple((home, seconds) for home, seconds in asked if seconds)

    async def moderates(self, place: Place, author: Author) -> bool:
        """Whether this person may act on what others asked here: by the platform's rights, or by a role that was named."""
        named = (await self.bot_wide_access()).moderator_roles | (await self.at_place(place)).access.moderator_roles
        return author.manages or author.moderates or bool(author.role_keys & named)

    def is_operator(self, author: Author) -> bool:
        """Whether this person may set rules for everywhere."""
        return author.key in self._access.operators

    def highest_cap(self, name: str) -> float | None:
        """The most of a setting that the configuration lets anybody have; None: no cap."""
        return highest_cap(self._limits, name)

    async def change(self, home: Home, edit: Edit, author: Author) -> Policy:
        """Replace the rules kept there by what `edit` makes of them. Raises what `edit` raises."""
        return await self._change(home, edit, author.key)

    async def move_place(self, old: Place, new: Place) -> None:
        """A channel that got another id stays in the lists that name it: the configuration can't be changed from here."""
        frame = await self.bot_wide_access()
        if lists := [name for name in NAMING_CHANNELS if old.channel_key in getattr(frame, name)]:
            await self._change(EVERYWHERE, partial(_listing, lists, new.channel_key), old.channel_key)

    async def read(self, home: Home) -> Policy:
        until, policy = self._known.get(home, (0.0, Policy()))
        if self._clock() < until:
            return policy
        policy = _parse((await self._database.read(read_settings, [home])).get(home, {}).get(RULES))
        self._remember(home, policy)
        return policy

    async def _change(self, home: Home, edit: Edit, set_by: str) -> Policy:
        def changed(stored: Value | None) -> Value:
            return edit(_parse(stored)).model_dump_json(exclude_defaults=True)

        policy = _parse(await self._database.write(change_setting, home, RULES, changed, set_by=set_by, at=time()))
        self._remember(home, policy)
        return policy

    def _remember(self, home: Home, policy: Policy) -> None:
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[home] = (self._clock() + FRESH_SECONDS, policy)


def _parse(stored: Value | None) -> Policy:
    return Policy() if stored is None else Policy.model_validate_json(str(stored))


def _listing(lists: Sequence[str], key: str, policy: Policy) -> Policy:
    """The rules with `key` in these lists."""
    more = {name: getattr(policy.access, name) | {key} for name in lists}
    return policy.model_copy(update={"access": policy.access.model_copy(update=more)})
