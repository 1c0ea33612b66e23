"""URL templates and JSON paths, as a person writes them into the options of a connection.

Extend it when receivers need a further form of either; a wrong one is told by the option it stands in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from string import Formatter
from typing import Any
from urllib.parse import quote

Step = str | int | None
"""A key, a place in a list, or None for every item."""

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\['([^']+)'\]|\[(\d+)\]|\[(\*)\]")


def path_steps(text: str) -> tuple[Step, ...]:
    """The steps of a JSON path such as `$.data[*]` or `$.items[0]['total']`; ValueError says what is permitted."""
    found: list[Step] = []
    place = 1
    while text.startswith("$") and (match := _STEP.match(text, place)):
        name, quoted, number, _ = match.groups()
        found.append(name or quoted or (int(number) if number else None))
        place = match.end()
    if not text.startswith("$") or place != len(text):
        msg = f"{text!r} is no JSON path; it is $ followed by .name, ['name'], [0] or [*], for instance $.data[*]"
        raise ValueError(msg)
    return tuple(found)


def values(document: Any, path: str) -> Iterator[Any]:
    """Everything that a path finds in a document."""
    found = [document]
    for step in path_steps(path):
        found = [inner for value in found for inner in _inner(value, step)]
    yield from found


def value(document: Any, path: str | None) -> Any:
    """The first thing that a path finds; None for nothing, and without a path."""
    return next(values(document, path), None) if path is not None else None


def is_list(document: Any, path: str) -> bool:
    """Whether there is a list where `$.data[*]` looks for items, even an empty one."""
    steps = path_steps(path)
    if not steps or steps[-1] is not None:
        return False
    return isinstance(next(values(document, path[: path.rindex("[")]), None), list)


def text_of(found: Any) -> str | None:
    """A JSON value as text: numbers as they are written, nothing for containers."""
    if found is None or isinstance(found, dict | list):
        return None
    if isinstance(found, bool):
        return "true" if found else "false"
    return str(found) or None


def placeholders(template: str) -> set[str]:
    """The names in braces; ValueError for braces that do not match."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def check_url(template: str, known: Collection[str], required: Collection[str] = ()) -> str:
    """The template itself; ValueError names what is unknown, missing or not permitted in it."""
    names = placeholders(template)
    if unknown := sorted(names - set(known)):
        msg = f"there is no {{{unknown[0]}}}; known are {', '.join(f'{{{name}}}' for name in known)}"
        raise ValueError(msg)
    if missing := sorted(set(required) - names):
        msg = f"needs {{{missing[0]}}}, as otherwise every record would have the same address"
        raise ValueError(msg)
    if not template.startswith(("{base}", "https://")):
        msg = "must begin with {base}, which is the connection's base_url, or with https://"
        raise ValueError(msg)
    return template


def fill(template: str, base: str, **given: str | int) -> str:
    """The URL; values are quoted, the base is not."""
    return template.format(base=base, **{name: quote(str(text), safe="") for name, text in given.items()})


def _inner(found: Any, step: Step) -> list[Any]:
    if step is None:
        return found if isinstance(found, list) else []
    if isinstance(step, int):
        return [found[step]] if isinstance(found, list) and step < len(found) else []
    return [found[step]] if isinstance(found, dict) and step in found else []
