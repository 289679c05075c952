"""Who may use the bot, where, and who may set values for others."""

from __future__ import annotations

from bot.access.policy_store import PolicyStore
from bot.config.schema import AccessOptions
from bot.errors import Refusal
from bot.message import Address, Author, Incoming, Place

LOCAL = frozenset({"terminal", "web"})  # whoever sits at the machine, or has the page's password


class Access:
    """Checks the allow and deny lists: the operator's first, then those of the place."""

    def __init__(self, policies: PolicyStore) -> None:
        self._policies = policies

    async def is_for_bot(self, incoming: Incoming) -> bool:
        """Whether the bot reacts to a message at all. Other bots are ignored unless listed: two bots could answer each other for ever."""
        if incoming.address is Address.OVERHEARD or not incoming.author.is_bot:
            return incoming.address is not Address.OVERHEARD
        listed = (await self._policies.bot_wide_access()).allow_bots | (await self._policies.at_place(incoming.place)).access.allow_bots
        return incoming.author.key in listed

    async def check(self, incoming: Incoming) -> None:
        """Raises Refusal for a person or a place that is not allowed."""
        if incoming.place.platform in LOCAL:
            return
        check_lists(await self._policies.bot_wide_access(), incoming.place, incoming.author)
        if not incoming.place.private:
            check_lists((await self._policies.at_place(incoming.place)).as_own_check, incoming.place, incoming.author)

    async def move_place(self, old: Place, new: Place) -> None:
        await self._policies.move_place(old, new)

    async def moderates(self, incoming: Incoming) -> bool:
        return await self._policies.moderates(incoming.place, incoming.author)


def check_lists(options: AccessOptions, place: Place, author: Author) -> None:
    """Raises Refusal for a person or place that these lists do not let in. A deny list wins over an allow list."""
    if _denied(options, place, author):
        raise Refusal("access.denied")
    if options.age_restricted_only and not place.age_restricted:
        raise Refusal("access.age")
    if place.private:
        if not (options.everyone or options.allow_private or _listed(options, author)):
            raise Refusal("access.private")
    elif not _place_allowed(options, place):
        raise Refusal("access.place")
    elif not _person_allowed(options, author):
        raise Refusal("access.person")


def _denied(options: AccessOptions, place: Place, author: Author) -> bool:
    denied_place = place.server_key in options.deny_servers or place.keys & options.deny_channels
    return bool(denied_place or author.key in options.deny_people or author.role_keys & options.deny_roles)


def _place_allowed(options: AccessOptions, place: Place) -> bool:
    anywhere = not (options.allow_servers or options.allow_channels)
    return anywhere or place.server_key in options.allow_servers or bool(place.keys & options.allow_channels)


def _person_allowed(options: AccessOptions, author: Author) -> bool:
    if options.allow_people or options.allow_roles:
        return options.everyone or _listed(options, author)
    return options.everyone or bool(options.allow_servers or options.allow_channels)  # a list of places lets in everybody in them


def _listed(options: AccessOptions, author: Author) -> bool:
    allowed = options.allow_people | options.allow_bots
    return author.key in allowed or bool(author.role_keys & options.allow_roles)


def may_set_for_all(place: Place, author: Author, *, opened: bool) -> bool:
    """Whether this person may set values for a whole channel or server. `opened`: its managers let everyone."""
    return place.private or place.platform in LOCAL or author.manages or opened
