"""What people do on the strict Discord: write, reply, give commands, press buttons; and what each of them sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simcord.backend import Backend, serializers
from simcord.backend.models import Channel, Guild, Interaction, Message, User
from simcord.components import walk_components
from simcord.enums import AppCommandType, ComponentType, InteractionType, OptionType
from simcord.interactions import base_payload, store_interaction_attachment, validate_option_value

Json = dict[str, Any]


@dataclass
class World:
    """A server with a channel in it, where Ann and Bob talk with the bot among them."""

    backend: Backend
    guild: Guild = field(init=False)
    channel: Channel = field(init=False)
    ann: User = field(init=False)
    bob: User = field(init=False)
    locales: dict[int, str] = field(default_factory=dict)  # by person; else American English

    def __post_init__(self) -> None:
        self.guild = self.backend.create_guild("geese")
        self.channel = self.backend.create_channel(self.guild.id, "pond")
        self.ann, self.bob = self.person("ann"), self.person("bob")

    @property
    def me(self) -> User:
        return self.backend.bot_user

    @property
    def mention(self) -> str:
        return f"<@{self.me.id}>"

    def person(self, name: str) -> User:
        """Somebody who joins the server."""
        user = self.backend.make_user(name)
        self.backend.add_member(self.guild.id, user.id)
        return user

    def thread(self, name: str = "reeds", by: User | None = None, message: Message | None = None) -> Channel:
        return self.backend.create_thread(self.channel.id, name, (by or self.ann).id, message_id=message.id if message else None)

    def direct(self, person: User) -> Channel:
        return self.backend.get_dm_channel(person.id)

    def say(
        self,
        text: str = "",
        *,
        by: User | None = None,
        channel: Channel | None = None,
        reply_to: Message | None = None,
        pictures: Sequence[tuple[str, bytes]] = (),
    ) -> Message:
        """Somebody (Ann) writes."""
        where = (channel or self.channel).id
        told = {"channel_id": str(where), "message_id": str(reply_to.id)} if reply_to else None
        reference = self.backend.normalize_message_reference(where, told)
        files = self.backend.store_attachments(where, pictures)
        return self.backend.create_message(where, (by or self.ann).id, text, reference=reference, attachments=files)

    def asks(self, text: str, **more: Any) -> Message:
        """Somebody (Ann) mentions the bot with these words."""
        return self.say(f"{self.mention} {text}", **more)

    def edits(self, message: Message, text: str) -> None:
        self.backend.edit_message(message.channel_id, message.id, {"content": text})

    def deletes(self, message: Message) -> None:
        """Whoever may: its author or a moderator."""
        self.backend.delete_message(message.channel_id, message.id)

    def gives(self, name: str, *, by: User | None = None, channel: Channel | None = None, **options: Any) -> Interaction:
        """Somebody (Ann) gives a command that is offered, with options of the kinds that it declares; a picture as name and bytes."""
        command = self.backend.commands[None][(name, AppCommandType.CHAT_INPUT)]
        declared = {option["name"]: option for option in command["options"]}
        where, resolved = channel or self.channel, dict[str, Json]()
        told = [self._option(name, declared[each], value, where, resolved) for each, value in options.items()]
        data = {"id": command["id"], "name": name, "type": 1, "options": told, **({"resolved": resolved} if resolved else {})}
        return self._interact(InteractionType.APPLICATION_COMMAND, where.id, by or self.ann, data)

    def chooses(self, name: str, message: Message, *, by: User | None = None) -> Interaction:
        """Somebody (Ann) chooses an entry under a message's "Apps"."""
        command = self.backend.commands[None][(name, AppCommandType.MESSAGE)]
        shown = {str(message.id): dict(serializers.message_payload(self.backend, message))}
        data = {"id": command["id"], "name": name, "type": 3, "target_id": str(message.id), "resolved": {"messages": shown}}
        return self._interact(InteractionType.APPLICATION_COMMAND, message.channel_id, by or self.ann, data)

    def presses(self, message: Message, label: str, *, by: User | None = None) -> Interaction:
        """Somebody (Ann) presses the button with these words on it."""
        button = next(each for each in buttons(message) if label in str(each.get("label")))
        data = {"custom_id": button["custom_id"], "component_type": ComponentType.BUTTON}
        more = {"message": dict(serializers.message_payload(self.backend, message))}
        return self._interact(InteractionType.MESSAGE_COMPONENT, message.channel_id, by or self.ann, data, more, message.id)

    def said(self, channel: Channel | None = None) -> list[Message]:
        """What the bot has said there for all to see, oldest first."""
        return [each for each in self._all(channel) if not each.is_ephemeral]

    def private_messages(self, person: User, channel: Channel | None = None) -> list[Message]:
        """What it has said there to this person alone."""
        return [each for each in self._all(channel) if each.is_ephemeral and each.visible_to(person.id)]

    def _all(self, channel: Channel | None) -> list[Message]:
        there = self.backend.messages[(channel or self.channel).id].values()
        return sorted((each for each in there if each.author_id == self.me.id), key=lambda each: each.id)

    def _interact(self, kind: InteractionType, where: int, by: User, data: Json, more: Json | None = None, source: int = 0) -> Interaction:
        guild = self.backend.get_channel(where).guild_id
        record, payload = base_payload(self.backend, type=kind, channel_id=where, guild_id=guild, user_id=by.id, data=data)
        record.source_message_id = source or None
        payload |= {"locale": self.locales.get(by.id, "en-US"), "authorizing_integration_owners": {"0": str(guild or 0)}, **(more or {})}
        self.backend.emit("INTERACTION_CREATE", payload)
        return record

    def _option(self, command: str, option: Json, value: Any, channel: Channel, resolved: dict[str, Json]) -> Json:
        kind = OptionType(option["type"])
        if kind is OptionType.ATTACHMENT:
            filename, data = value
            value = store_interaction_attachment(self.backend, channel.id, filename, data, resolved)
        elif isinstance(value, User):
            member = self.guild.members[value.id]
            resolved.setdefault("users", {})[str(value.id)] = dict(serializers.user_payload(value))
            without = serializers.member_payload(self.backend, self.guild, member, with_user=False)
            resolved.setdefault("members", {})[str(value.id)] = {**without, "permissions": "0"}
            value = str(value.id)
        else:
            value = validate_option_value(command, option, value)
        return {"name": option["name"], "type": kind, "value": value}


def buttons(message: Message) -> list[Json]:
    return [each for each in walk_components(message.components) if each.get("type") == ComponentType.BUTTON]
