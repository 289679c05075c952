"""Who may use the bot, where, and who may set values for others."""

from __future__ import annotations

from bot.errors import Refusal
from bot.message import Address, Author, Incoming, Place
from bot.options import AccessOptions

LOCAL = frozenset({"terminal", "web"})  # whoever sits at the machine, or has the page's password


class Access:
    """The allow and deny lists of the configuration."""

    def __init__(self, options: AccessOptions) -> None:
        self._options = options

    def hears(self, incoming: Incoming) -> bool:
        """Whether a message is for the bot at all. Other bots' are not, unless listed: two that answer each other would never end."""
        author = incoming.author
        return incoming.address is not Address.OVERHEARD and (not author.is_bot or author.key in self._options.allow_bots)

    async def check(self, incoming: Incoming) -> None:
        """Raises Refusal for a person or a place that the operator did not allow."""
        if incoming.place.platform in LOCAL:
            return
        if self._denied(incoming.place, incoming.author):
            raise Refusal("access.denied")
        if self._options.age_restricted_only and not incoming.place.age_restricted:
            raise Refusal("access.age")
        if incoming.place.private:
            if not (self._options.everyone or self._options.allow_private or self._listed(incoming.author)):
                raise Refusal("access.private")
        elif not self._place_allowed(incoming.place):
            raise Refusal("access.place")
        elif not self._person_allowed(incoming.author):
            raise Refusal("access.person")

    def _denied(self, place: Place, author: Author) -> bool:
        options = self._options
        denied_place = place.server_key in options.deny_servers or keys_of(place) & options.deny_channels
        return bool(denied_place or author.key in options.deny_people or roles_of(author) & options.deny_roles)

    def _place_allowed(self, place: Place) -> bool:
        options = self._options
        anywhere = not (options.allow_servers or options.allow_channels)
        return anywhere or place.server_key in options.allow_servers or bool(keys_of(place) & options.allow_channels)

    def _person_allowed(self, author: Author) -> bool:
        options = self._options
        if options.allow_people or options.allow_roles:
            return options.everyone or self._listed(author)
        return options.everyone or bool(options.allow_servers or options.allow_channels)  # a list of places lets in all who are there

    def _listed(self, author: Author) -> bool:
        allowed = self._options.allow_people | self._options.allow_bots
        return author.key in allowed or bool(roles_of(author) & self._options.allow_roles)


def keys_of(place: Place) -> frozenset[str]:
    """A thread is listed by itself or with its channel."""
    return frozenset({place.channel_key, place.key})


def roles_of(author: Author) -> frozenset[str]:
    return frozenset(f"{author.platform}:{role}" for role in author.roles)


def may_set_for_all(place: Place, author: Author, *, opened: bool) -> bool:
    """Whether this person may set values of this channel or server: `opened` = its managers let everyone."""
    return place.private or place.platform in LOCAL or author.manages or opened
