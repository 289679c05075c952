"""`/setup`: set who may use the bot on this server, and how much; for managers. Operators may set it for everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Final, Literal

from bot.access.policy import LISTS, Policy
from bot.access.policy_store import EVERYWHERE, policy_home
from bot.access.rate_limits import LONGEST_PAUSE
from bot.answer_settings import SETTINGS
from bot.commands.command import Command, Context, Option, OptionKind, Suggestion, Typing, complete_setting
from bot.commands.forget import PERSON
from bot.commands.single_setting import CLEAR
from bot.config.schema import RoleLimits
from bot.errors import Refusal
from bot.numbers import print_number, read_number
from bot.platform import Named, Outgoing, Panel
from bot.resolve_answer_settings import shown
from bot.store.scoped_settings import Home

COOLDOWNS: Final = (5.0, 30.0, 60.0, 300.0)  # usual ones
COOLDOWN: Final = "cooldown"
ADULTS: Final = "adults"
CAPS: Final = ("beams", "max_new_tokens")
WITH_SERVERS: Final = frozenset({"moderators", ADULTS})  # rules about roles and age restriction, which chats without servers lack


def amounts(typing: Typing) -> Iterator[Suggestion]:
    """Suggest usual values for the limit that was chosen."""
    rule = typing.given.get(RULE.name)
    if rule == COOLDOWN:
        yield from ((print_number(seconds), seconds) for seconds in COOLDOWNS)
    elif rule in CAPS:
        yield from ((label, float(value)) for label, value in complete_setting(SETTINGS[str(rule)], typing))


MOST: Final = max(LONGEST_PAUSE, *(SETTINGS[name].high for name in CAPS))
AMOUNT: Final = Option("amount", OptionKind.NUMBER, low=0, high=MOST, complete=amounts)
CHANNEL: Final = Option("channel", OptionKind.CHANNEL)
ROLE: Final = Option("role", OptionKind.ROLE)
SERVER: Final = Option("server", OptionKind.SERVER)
WIDE: Final = Option("everywhere", OptionKind.FLAG)
TARGETS: Final = {CHANNEL.name: "channels", ROLE.name: "roles", PERSON.name: "people", SERVER.name: "servers"}
KINDS: Final[Mapping[str, Literal["person", "role", "channel"]]] = {
    "channels": "channel",
    "roles": "role",
    "people": "person",
    "bots": "person",
}  # by the last word of a list's name
# The list of the policy that each rule changes, by kind of target.
KEPT: Final[Mapping[str, Mapping[str, str]]] = {
    **{rule: {target: f"{rule}_{whom}" for target, whom in TARGETS.items()} for rule in ("allow", "deny")},
    "moderators": {ROLE.name: "moderator_roles"},
    "bots": {PERSON.name: "allow_bots"},
}
RULE: Final = Option("rule", OptionKind.CHOICE, choices=(*KEPT, ADULTS, COOLDOWN, *CAPS), words="choice.rule.{choice}")


async def run(context: Context) -> Outgoing:
    home = _home(context)
    if RULE.name not in context.options:
        policy = await context.policies.read(home)
        return replace(context.reply(_described(context, policy)), panel=Panel("setup"), named=tuple(_named_in(policy)))
    policy = await context.policies.change(home, partial(_edited, context), context.incoming.author)
    return replace(context.reply("\n".join([context.render("setup.done"), _described(context, policy)])), named=tuple(_named_in(policy)))


def _home(context: Context) -> Home:
    """Where the meant policy is stored. Raises Refusal for the one for everywhere where the author is no operator."""
    place, author = context.incoming.place, context.incoming.author
    if context.options.get(WIDE.name):
        if not context.policies.is_operator(author):
            raise Refusal("setup.not_operator", person=author.key)
        return EVERYWHERE
    if place.private:
        raise Refusal("setup.private")
    return policy_home(place)


def _edited(context: Context, policy: Policy) -> Policy:
    """The policy with this rule added, or removed with `clear`."""
    rule, takes_back = str(context.options[RULE.name]), bool(context.options.get(CLEAR.name))
    if rule in WITH_SERVERS and context.incoming.place.server is None and not (takes_back or context.options.get(WIDE.name)):
        raise Refusal("setup.unknown_here", rule=rule)  # it would let in nobody
    if rule == ADULTS:
        return _with_access(policy, {"age_restricted_only": not takes_back})
    if rule == COOLDOWN or rule in CAPS:
        return _limited(context, policy, rule, None if takes_back else _amount(context, rule))
    named = _named(context, rule)
    lists: dict[str, frozenset[str]] = {name: getattr(policy.access, name) for name in named}
    return _with_access(policy, {name: kept - {named[name]} if takes_back else kept | {named[name]} for name, kept in lists.items()})


def _named(context: Context, rule: str) -> dict[str, str]:
    """The lists to change, each with the key to add. Raises Refusal where no target is named."""
    place, given = context.incoming.place, context.options
    if SERVER.name in given and not given.get(WIDE.name):
        raise Refusal("setup.servers")
    named = {kept: f"{place.platform}:{given[target]}" for target, kept in KEPT[rule].items() if given.get(target)}
    if place.server is None and not given.get(WIDE.name) and str(given.get(CHANNEL.name, place.channel)).partition("/")[0] != place.channel:
        raise Refusal("setup.another_chat")
    if not named:
        raise Refusal("setup.whom", rule=rule)
    return named


def _amount(context: Context, rule: str) -> float:
    """The amount of a limit. Raises Refusal where it is missing or out of range."""
    if AMOUNT.name not in context.options:
        raise Refusal("setup.amount", rule=rule)
    given = context.options[AMOUNT.name]
    amount = float(SETTINGS[rule].parse(given) if rule in CAPS else _seconds(given))
    most = context.policies.highest_cap(rule)
    if most is not None and amount > most:
        raise Refusal("settings.above_cap", name=rule, limit=most)
    return amount


def _seconds(given: str | int | float | bool) -> float:
    seconds = read_number(given)
    if seconds is None or not 0 <= seconds <= LONGEST_PAUSE:
        raise Refusal("settings.not_a_number_in_range", name=COOLDOWN, low=0, high=LONGEST_PAUSE, given=str(given)[:40])
    return seconds


def _limited(context: Context, policy: Policy, rule: str, amount: float | None) -> Policy:
    """The policy with a limit for everybody, or for one role. `amount` None removes it."""
    if role := context.options.get(ROLE.name):
        key = f"{context.incoming.place.platform}:{role}"
        old = policy.roles.get(key, RoleLimits())
        new = old.model_copy(update={"cooldown_seconds": amount} if rule == COOLDOWN else {"caps": _put(old.caps, rule, amount)})
        kept = {name: limits for name, limits in {**policy.roles, key: new}.items() if limits != RoleLimits()}
        return policy.model_copy(update={"roles": kept})
    if rule == COOLDOWN:
        return policy.model_copy(update={"cooldown_seconds": amount or 0.0})
    return policy.model_copy(update={"caps": _put(policy.caps, rule, amount)})


def _put(caps: Mapping[str, float], name: str, value: float | None) -> dict[str, float]:
    others = {each: cap for each, cap in caps.items() if each != name}
    return others if value is None else {**others, name: value}


def _with_access(policy: Policy, changes: Mapping[str, object]) -> Policy:
    return policy.model_copy(update={"access": policy.access.model_copy(update=dict(changes))})


def _described(context: Context, policy: Policy) -> str:
    """The policy in words, and how to change it."""
    lines = [*_lists(context, policy), *_limits(context, policy)]
    title = context.render("setup.everywhere" if context.options.get(WIDE.name) else "setup.here")
    return "\n".join([title, *(lines or [context.render("setup.none")]), context.render("setup.how")])


def _named_in(policy: Policy) -> Iterator[Named]:
    """All people, roles and channels that the policy names by key. Servers have no name that could be shown."""
    for name in LISTS:
        if kind := KINDS.get(name.rpartition("_")[2]):
            yield from (Named(kind, key) for key in sorted(getattr(policy.access, name)))
    yield from (Named("role", key) for key in policy.roles)


def _lists(context: Context, policy: Policy) -> Iterator[str]:
    for name in LISTS:
        if kept := getattr(policy.access, name):
            yield context.render("setup.line", rule=context.render(f"setup.list.{name}"), value=", ".join(sorted(kept)))
    if policy.access.age_restricted_only:
        yield context.render("setup.adults")


def _limits(context: Context, policy: Policy) -> Iterator[str]:
    everybody = RoleLimits(cooldown_seconds=policy.cooldown_seconds or None, caps=policy.caps)
    for role, limits in {"": everybody, **policy.roles}.items():
        amounts = {COOLDOWN: limits.cooldown_seconds, **limits.caps}
        for rule, amount in amounts.items():
            if amount is not None:
                name = context.render(f"choice.rule.{rule}")
                yield context.render("setup.line", rule=f"{name} ({role})" if role else name, value=shown(float(amount)))


OPTIONS: Final = (RULE, AMOUNT, CHANNEL, ROLE, PERSON, SERVER, WIDE, CLEAR)
COMMAND = Command("setup", run, OPTIONS, for_managers=True, everywhere=True, for_groups=True)
