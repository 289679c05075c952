"""Makes one script of the page's modules, so that a far-away browser asks once: at each start, from the plain files, with no tool.

It reads what our own modules and those in `vendor/` use of JavaScript's imports and exports. What is fetched later by `import()`
stays a file of its own and must not import any of ours, of which there would be a second copy then.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath

IMPORT = re.compile(r'^import (?:(?P<all>\* as \w+)|(?P<some>\{[^}]*\})|(?P<default>\w+))? ?(?:from )?"(?P<path>\.[^"]+)";$', re.MULTILINE)
DECLARED = re.compile(r"^export (?P<what>(?:async function|function|class|const) (?P<name>\w+))", re.MULTILINE)
LISTED = re.compile(r"^export ?\{(?P<names>[^}]*)\};?$", re.MULTILINE)
LEFT = re.compile(r"^(?:import|export)\b(?! ?\()", re.MULTILINE)


class BundleError(Exception):
    """A module is written in a way that the bundle does not know."""


def bundle(entry: str, modules: Mapping[str, str]) -> str:
    """The script of `entry` and of all that it imports, as one module. `modules`: sources by path."""
    order: list[str] = []
    _visit(entry, modules, order, ())
    wrapped = [_wrapped(path, modules[path]) for path in order[:-1]]
    return "\n".join([*wrapped, _linked(entry, modules[entry])])


def _visit(path: str, modules: Mapping[str, str], order: list[str], above: tuple[str, ...]) -> None:
    if path in above:
        raise BundleError(f"{path} imports itself, by way of {' and '.join(above)}")
    if path in order:
        return
    for found in IMPORT.finditer(modules[path]):
        _visit(_target(path, found["path"]), modules, order, (*above, path))
    order.append(path)


def _target(path: str, target: str) -> str:
    return normpath(join(dirname(path), target))


def _wrapped(path: str, source: str) -> str:
    """A function that runs once and returns what the module exports."""
    exports = [found["name"] for found in DECLARED.finditer(source)]
    for found in LISTED.finditer(source):
        exports += [_renamed(name) for name in found["names"].split(",")]
    body = LISTED.sub("", DECLARED.sub(r"\g<what>", _linked(path, source, entry=False)))
    if left := LEFT.search(body):
        raise BundleError(f"{path}: {body[left.start() : left.start() + 60]!r} is no import or export that the bundle knows")
    return f"const {_name(path)} = (() => {{\n{body}\nreturn {{ {', '.join(exports)} }};\n}})();"


def _renamed(name: str) -> str:
    """`a as b` → `b: a`."""
    inner, _, outer = name.strip().partition(" as ")
    return f"{outer}: {inner}" if outer else inner


def _linked(path: str, source: str, *, entry: bool = True) -> str:
    """The module with its imports taken from the modules before it."""

    def link(found: re.Match[str]) -> str:
        module = _name(_target(path, found["path"]))
        if found["all"]:
            return f"const {found['all'].removeprefix('* as ')} = {module};"
        if found["some"]:
            return f"const {found['some'].replace(' as ', ': ')} = {module};"
        return f"const {found['default']} = {module}.default;" if found["default"] else ""

    linked = IMPORT.sub(link, source)
    if entry and (left := LEFT.search(linked)):
        raise BundleError(f"{path}: {linked[left.start() : left.start() + 60]!r} is no import that the bundle knows")
    return linked


def _name(path: str) -> str:
    return "$" + re.sub(r"\W", "_", path.removesuffix(".js"))
