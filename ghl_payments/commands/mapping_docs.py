"""`docs/mappings.md` and `ghl-payments mapping docs`: how to change a mapping, and everything that expressions can use.

Meanings stand where they belong (`canonical.yaml`, `mapping_schema.py`, the mappings); only the order and the how-to
are made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from ghl_payments.connectors.registry import TargetSystem, target_systems
from ghl_payments.domain.mapping import FieldRule
from ghl_payments.domain.mapping_schema import MEANINGS
from ghl_payments.warehouse.catalogue import catalogue, personal_columns, real_columns
from ghl_payments.warehouse.mapping_check import empty_layout
from ghl_payments.warehouse.queries import SQL_ROOT

PATH = SQL_ROOT.parent / "docs" / "mappings.md"

MACROS = {
    "instant(text)": "A UTC timestamp from ISO 8601 text; null where it is none.",
    "instant_text(timestamp)": "ISO 8601 UTC with milliseconds, as instants are compared and written.",
    "to_minor(text, exponent)": "Minor units of an exact amount in major units; null of any other.",
    "to_minor_rounded(text, exponent)": "The same, rounded to the minor unit, for systems that store floats.",
    "major_text(minor, exponent)": "Major units with exactly `exponent` decimals.",
    "number_text(json)": "The text of a JSON number; null for any other JSON value.",
    "blank_to_null(text)": "Trimmed; null where nothing is left.",
    "capability(name)": "The level of a capability of the connection at hand.",
    "option(name)": "An option of the connection at hand, as text.",
}
"""What an expression may call beside DuckDB's own functions."""

HOW_TO = """\
# Mappings
Made by `ghl-payments mapping docs --write`; a test compares. `ghl-payments mapping docs --system halo` prints it with
the mapping of one system only.

A mapping says, field by field, what a target should hold (`desired`, SQL over a canonical row of GHL), what it does
hold (`actual`, SQL over the target's document), how the two are compared, and whether the field may be written. Each
connector ships one, `ghl_payments/connectors/SYSTEM/mapping.yaml`. You change it with a file of your own, never by
editing ours.

## A mapping of your own
1. Write a file with what shall be different, and nothing else; for instance `my-halo.yaml`:
```yaml
system: halo
record_types:
  sales_order:
    fields:
      # Halo's people keep this one: neither compared nor written any more.
      ship_status: {compare: never, write: never}
      # A minute's difference is none.
      date: {tolerance: 60}
      # A field of your own: compared with a custom field of yours, never written.
      shop: {desired: source_name, actual: "custom['CFShop']", compare: text, write: never, class: other}
```
2. Check it: `ghl-payments mapping check --file my-halo.yaml`. Every problem is named with file, line, field and the
   nearest valid name; the same check runs before each run.
3. Name it in `connections.yaml`, under the connection: `mapping: my-halo.yaml` (relative to `connections.yaml`).
4. Look at one record before a run does: `ghl-payments mapping preview --system halo --key ghl:order:ID` shows canonical
   row, desired, actual and the difference from the published copy. Exit code 0 equal, 1 differs, 2 could not tell.

What an override may do: change `desired`, `actual`, `compare`, `tolerance`, `write` and `class` of a field; switch a
field off with `compare: never` and `write: never`; add a field that is compared only (`write: never`), or that the
connector can write. It cannot add or remove record types, take a field away, or change whose field it is. A changed
mapping has another fingerprint, so that changes which a target had refused are planned anew.

An editor that knows JSON Schema completes and checks while you type, with this line at the top of your file:
`# yaml-language-server: $schema=PATH/schemas/mapping-override.schema.json` (for `connections.yaml`:
`connections.schema.json`).
"""


def page(system: str | None = None) -> str:
    """The whole page, or with the shipped mapping of one system only."""
    systems = target_systems()
    chosen = [systems[system]] if system else list(systems.values())
    parts = [HOW_TO, *_keys(), *_tables(), *_macros()]
    for item in chosen:
        parts += _shipped(item)
    return "\n".join(parts)


def write_page(path: Path = PATH) -> bool:
    """Write the page; whether it changed."""
    text = page()
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    path.write_text(text, encoding="utf-8")
    return True


def _keys() -> Iterator[str]:
    yield "## What a field says"
    defaults = {field.alias or name: field for name, field in FieldRule.model_fields.items()}
    rows = [
        [f"`{key}`", meaning, "must be given" if defaults[key].is_required() else f"`{_plain(defaults[key].default)}`"]
        for key, meaning in MEANINGS["FieldRule"].items()
    ]
    yield _table(["key", "meaning", "unless given"], rows)


def _tables() -> Iterator[str]:
    personal = ", ".join(f"`{name}`" for name in sorted(personal_columns()))
    yield "## Canonical tables"
    yield (
        "What `desired`, `key`, `where`, `amount`, `currency` and `parents` of a record type can use: the columns of\n"
        f"its `source`. Times are UTC. Personal columns ({personal}) are masked wherever they would be shown.\n"
    )
    words = catalogue()
    with empty_layout() as con:
        types = real_columns(con)
    for name in sorted(types):
        if name not in words:
            continue  # a test names it
        yield f"### {name}"
        yield f"{words[name].rows}\n"
        kinds = dict(types[name])
        yield _table(
            ["column", "type", "unit", "meaning"],
            [[f"`{c.name}`", kinds.get(c.name, "").lower(), c.unit, c.meaning] for c in words[name].columns],
        )


def _macros() -> Iterator[str]:
    yield "## Functions"
    yield "Beside DuckDB's own:\n"
    yield _table(["function", "gives"], [[f"`{name}`", meaning] for name, meaning in MACROS.items()])


def _shipped(system: TargetSystem) -> Iterator[str]:
    yield f"## The shipped mapping of {system.name}"
    for record_type, record in system.mapping.record_types.items():
        parents = ", ".join(f"`{name}`" for name in record.parents)
        yield f"### {system.name} {record_type}"
        said = [f"From `{record.source}` where {_code(record.where)}"]
        said += [f"below {parents}"] if parents else []
        said += ["irreversible"] if record.irreversible else []
        said += [f"written only with `options.{record.enabled_by}`"] if record.enabled_by else []
        yield "; ".join(said) + ".\n"
        rows = [
            [f"`{name}`", rule.field_class, _code(rule.desired), _code(rule.actual), _compare(rule), _write(rule)]
            for name, rule in record.fields.items()
        ]
        yield _table(["field", "class", "desired", "actual", "compared", "written"], rows)


def _compare(rule: FieldRule) -> str:
    unit = {"minor": " minor units", "time": " s"}.get(rule.compare, "")
    return f"{rule.compare} ± {rule.tolerance}{unit}" if rule.tolerance else rule.compare


def _write(rule: FieldRule) -> str:
    owned = ", the target's" if rule.owner == "target" else ""
    return (f"via `{rule.via}`" if rule.via else rule.write) + owned


def _plain(value: object) -> str:
    return "null" if value is None else str(value)


def _code(text: str | None) -> str:
    return f"`{' '.join(text.split())}`" if text else ""


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    cells = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    return "\n".join(f"| {' | '.join(line)} |" for line in cells) + "\n"
