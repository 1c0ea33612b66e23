"""connections.yaml and .env grown by text: new entries are put in, and everything that stood there stays as it was.

Extend it when another part of connections.yaml can be added to; what is to be added belongs to `init.py`.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import yaml

HEADER = """\
# Accounts and locations. Secrets stand in .env, here only their names.
# What each key means: schemas/connections.schema.json.
"""

Doc = dict[str, Any]


def fresh(connections: Mapping[str, Doc], locations: Sequence[Doc]) -> str:
    """The text of a first connections.yaml."""
    blocks = [_entry(name, item, 2) for name, item in connections.items()]
    items = [_item(item, 2) for item in locations]
    return HEADER + "version: 1\nconnections:\n" + "".join(blocks) + "locations:\n" + "".join(items)


def grown(
    text: str, connections: Mapping[str, Doc], locations: Sequence[Doc], targets: Mapping[int, Sequence[str]]
) -> str | None:
    """The text with new connections, new locations and further targets of the nth location.

    None where the file is written in a way that cannot be added to without rewriting it.
    """
    wanted = merged(yaml.safe_load(text), connections, locations, targets)
    edits: list[Callable[[str], str | None]] = []
    for place, names in targets.items():
        edits += [_adding_target(place, name) for name in names]
    edits += [_adding_connection(name, item) for name, item in connections.items()]
    edits += [_adding_location(item) for item in locations]
    found: str | None = text if text.endswith("\n") else text + "\n"
    for edit in edits:
        found = edit(found) if found is not None else None
    if found is None:
        return None
    try:
        return found if yaml.safe_load(found) == wanted else None
    except yaml.YAMLError:
        return None


def merged(
    document: Doc, connections: Mapping[str, Doc], locations: Sequence[Doc], targets: Mapping[int, Sequence[str]]
) -> Doc:
    """What the file must say in the end, as plain values."""
    wanted: Doc = copy.deepcopy(document)
    for place, names in targets.items():
        location = wanted["locations"][place]
        location["targets"] = [*(location.get("targets") or []), *names]
    wanted["connections"] |= connections
    wanted["locations"] += list(locations)
    return wanted


def with_names(env: str, names: Iterable[str]) -> str:
    """The text of an env file with a line `NAME=` for each name it does not have yet; no line is changed."""
    known = {line.split("=", 1)[0].strip().removeprefix("export ").strip() for line in env.splitlines() if "=" in line}
    missing = [name for name in dict.fromkeys(names) if name not in known]
    start = env if not env or env.endswith("\n") else env + "\n"
    return start + "".join(f"{name}=\n" for name in missing) if missing else env


def _adding_connection(name: str, item: Doc) -> Callable[[str], str | None]:
    def edit(text: str) -> str | None:
        node = _value(yaml.compose(text, Loader=yaml.SafeLoader), "connections")
        if not isinstance(node, yaml.MappingNode) or node.flow_style or not node.value:
            return None
        return _after(text, _last_line(node), _entry(name, item, node.start_mark.column))

    return edit


def _adding_location(item: Doc) -> Callable[[str], str | None]:
    def edit(text: str) -> str | None:
        node = _value(yaml.compose(text, Loader=yaml.SafeLoader), "locations")
        if not isinstance(node, yaml.SequenceNode) or node.flow_style or not node.value:
            return None
        return _after(text, _last_line(node), _item(item, node.start_mark.column))

    return edit


def _adding_target(place: int, name: str) -> Callable[[str], str | None]:
    def edit(text: str) -> str | None:
        locations = _value(yaml.compose(text, Loader=yaml.SafeLoader), "locations")
        if not isinstance(locations, yaml.SequenceNode):
            return None
        location = locations.value[place]
        targets = _value(location, "targets")
        if isinstance(targets, yaml.SequenceNode) and targets.flow_style:
            end = targets.value[-1].end_mark.index if targets.value else targets.start_mark.index + 1
            return text[:end] + (f", {name}" if targets.value else name) + text[end:]
        if isinstance(targets, yaml.SequenceNode):
            return _after(text, _last_line(targets), f"{' ' * targets.start_mark.column}- {name}\n")
        if targets is None and not location.flow_style:
            return _after(text, _last_line(location), f"{' ' * location.start_mark.column}targets: [{name}]\n")
        return None

    return edit


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for name, value in pairs if name.value == key), None)


def _last_line(node: yaml.Node) -> int:
    """The line (from 0) on which the last thing inside stands; a block's own end mark lies behind comments."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _last_line(last[1] if isinstance(node, yaml.MappingNode) else last)
    if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        return int(node.end_mark.line) - 1
    return int(node.end_mark.line)


def _after(text: str, line: int, added: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join([*lines[: line + 1], added, *lines[line + 1 :]])


def _entry(name: str, item: Doc, indent: int) -> str:
    return _indented(_yaml({name: item}), indent)


def _item(item: Doc, indent: int) -> str:
    return _indented(_yaml([item]), indent)


def _yaml(value: Any) -> str:
    """Block style with the innermost collections on one line."""
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=10_000, allow_unicode=True)


def _indented(text: str, indent: int) -> str:
    return "".join(" " * indent + line for line in text.splitlines(keepends=True))
