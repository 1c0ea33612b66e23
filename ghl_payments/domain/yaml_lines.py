"""YAML files with the line of every part, and the nearest valid name for a wrong one: errors that say where and what.

Extend it when an error of a file could say more; what the files mean belongs to the models that read them.
"""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

Spot = tuple[str | int, ...]
"""Where something stands in a document: keys and list positions from the top."""


class UnreadableFileError(ValueError):
    """A file that is no YAML document; the text begins with file and line."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong at a spot; `nearest` is the valid name most like the wrong one."""

    spot: Spot
    what: str
    nearest: str | None = None


class FoundError(ValueError):
    """A finding raised inside a validator, which has no other way to say where it is."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.what)
        self.finding = finding


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A finding as a person reads it: `file:line: where: what; nearest: name`."""

    file: str
    line: int
    where: str
    what: str
    nearest: str | None = None

    def __str__(self) -> str:
        hint = f"; nearest: {self.nearest}" if self.nearest else ""
        return f"{self.file}:{self.line}: {self.where}: {self.what}{hint}"


@dataclass(frozen=True, slots=True)
class YamlFile:
    """One document: `data` as plain values, `node` with the lines."""

    name: str
    data: Any
    node: yaml.Node | None = field(compare=False)

    def reach(self, spot: Spot) -> tuple[int, int]:
        """How many parts of the spot exist, and the line (from 1) of the last that does."""
        node, depth, line = self.node, 0, 1
        for part in spot:
            if isinstance(node, yaml.MappingNode):
                pairs = [(k, v) for k, v in node.value if getattr(k, "value", None) == str(part)]
                if not pairs:
                    break
                line, node = pairs[-1][0].start_mark.line + 1, pairs[-1][1]
            elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
                node = node.value[part]
                line = node.start_mark.line + 1
            else:
                break
            depth += 1
        return depth, line

    def line(self, spot: Spot) -> int:
        """The line of a spot, or of the nearest part around it."""
        return self.reach(spot)[1]

    def repeated(self) -> list[Problem]:
        """Keys that stand twice in one mapping, of which YAML keeps only the last."""
        return [Problem(self.name, line, where, "stands twice; only the last one would count")
                for where, line in _repeated(self.node, ())]  # fmt: skip


def _repeated(node: yaml.Node | None, spot: Spot) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(getattr(key, "value", ""))
            if name in seen:
                yield ".".join(map(str, (*spot, name))), key.start_mark.line + 1
            seen.add(name)
            yield from _repeated(value, (*spot, name))
    elif isinstance(node, yaml.SequenceNode):
        for place, item in enumerate(node.value):
            yield from _repeated(item, (*spot, place))


def read_yaml(path: Path, *, shown: str | None = None) -> YamlFile:
    """A file with its lines, under the name that errors show (default: the whole path).

    UnreadableFileError when it cannot be read or is no YAML.
    """
    name = shown or str(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{name}: cannot be read as a UTF-8 text file ({type(error).__name__})"
        raise UnreadableFileError(msg) from None
    return parse_yaml(text, name)


def parse_yaml(text: str, name: str) -> YamlFile:
    """A text with its lines; UnreadableFileError when it is no YAML."""
    try:
        return YamlFile(name, yaml.safe_load(text), yaml.compose(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{name}:{mark.line + 1}" if mark else name
        msg = f"{where}: not readable as YAML ({getattr(error, 'problem', None) or 'syntax error'})"
        raise UnreadableFileError(msg) from None
    except ValueError as error:  # a scalar that looks like a date and is none
        msg = f"{name}: not readable as YAML ({error})"
        raise UnreadableFileError(msg) from None


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name most like this one, None if none is like it at all."""
    names = list(known)
    text = str(name)
    found = difflib.get_close_matches(text, names, n=1, cutoff=0.6)
    if not found:
        folded = {other.lower().replace("_", "").replace("-", ""): other for other in names}
        close = difflib.get_close_matches(text.lower().replace("_", "").replace("-", ""), list(folded), n=1)
        found = [folded[key] for key in close]
    return found[0] if found else None


def findings(error: ValidationError, model: type[BaseModel]) -> list[Finding]:
    """What pydantic found, each with the nearest valid name where a name or a choice is wrong."""
    found = []
    for problem in error.errors(include_url=False):
        spot = tuple(problem["loc"])
        if problem["type"] == "extra_forbidden":
            found.append(
                Finding(spot, "unknown key, not permitted here", nearest(spot[-1], names_at(model, spot[:-1])))
            )
        elif problem["type"] == "literal_error":
            choices = [str(choice) for choice in choices_at(model, spot)]
            found.append(Finding(spot, problem["msg"], nearest(problem["input"], choices)))
        else:
            own = problem.get("ctx", {}).get("error")
            said = problem["msg"].removeprefix("Value error, ")
            found.append(own.finding if isinstance(own, FoundError) else Finding(spot, said))
    return found


def names_at(model: Any, spot: Spot) -> list[str]:
    """The keys that the model knows at a spot, as they are written in the file."""
    at = _annotation(model, spot)
    return [field.alias or name for name, field in at.model_fields.items()] if _is_model(at) else []


def choices_at(model: Any, spot: Spot) -> tuple[Any, ...]:
    """The values of a `Literal` at a spot."""
    at = _annotation(model, spot)
    return get_args(at) if get_origin(at) is Literal else ()


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _annotation(at: Any, spot: Spot) -> Any:
    at = _bare(at)
    for part in spot:
        if _is_model(at):
            fields: Mapping[str, Any] = at.model_fields
            known = {field.alias or name: field for name, field in fields.items()} | dict(fields)
            at = known[str(part)].annotation if str(part) in known else None
        else:
            arguments = [argument for argument in get_args(at) if argument is not Ellipsis]
            at = arguments[-1] if arguments and get_origin(at) in (dict, list, tuple) else None
        at = _bare(at)
    return at


def _bare(annotation: Any) -> Any:
    """Without `Annotated` and `| None`."""
    while get_origin(annotation) in (Annotated, Union, types.UnionType):
        annotation = next(argument for argument in get_args(annotation) if argument is not types.NoneType)
    return annotation
