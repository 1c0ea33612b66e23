"""Documentation and packaging in step with the code: what they name exists, and what they show runs."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path

import duckdb
import pytest

from ghl_payments.cli import main
from ghl_payments.connections import read_connections
from ghl_payments.domain.diff_kinds import DIFF_KINDS, NOT_LOOKED_FOR, as_markdown
from ghl_payments.warehouse.connection import Warehouse
from ghl_payments.warehouse.publish import publish
from ghl_payments_tests.running_sandbox import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "operations.md", ROOT / ".env.example"]
DECISIONS = sorted((ROOT / "docs" / "adr").glob("*.md"))
IMPORTED_AS = {"pyyaml": "yaml", "python-dotenv": "dotenv"}
NOT_IMPORTED = {"dagster-webserver", "dagster-postgres", "sqlalchemy", "sniffio"}
"""Needed at run time without an import of ours."""


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(path), flags=re.DOTALL)


def names_of(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ]", requirement)[0].lower() for requirement in requirements}


def third_party_imports() -> set[str]:
    found = set()
    for path in (ROOT / "ghl_payments").rglob("*.py"):
        for node in ast.walk(ast.parse(text_of(path))):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add((node.module or "").split(".")[0])
    return found - set(sys.stdlib_module_names) - {"ghl_payments"}


def test_env_example_names_exactly_the_variables_that_settings_read() -> None:
    read = set(re.findall(r'"(GHL_PAYMENTS_[A-Z_]+)"', text_of(ROOT / "ghl_payments" / "settings.py")))
    named = set(re.findall(r"^(GHL_PAYMENTS_[A-Z_]+)=", text_of(ROOT / ".env.example"), flags=re.MULTILINE))
    assert len(read) > 5
    assert named == read


def test_env_example_names_the_secrets_of_the_example_in_the_readme() -> None:
    named = set(re.findall(r"^([A-Z_0-9]+)=", text_of(ROOT / ".env.example"), flags=re.MULTILINE))
    example = blocks(ROOT / "README.md", "yaml")[0]
    assert set(re.findall(r"\b(?:HALO|GHL)_[A-Z_0-9]+\b", example)) <= named


def test_the_differences_page_is_made_from_the_kinds() -> None:
    assert text_of(ROOT / "docs" / "differences.md").strip() == as_markdown().strip()


def test_every_kind_is_looked_for_in_sql_unless_the_page_says_that_it_is_not() -> None:
    sql = "".join(text_of(path) for path in (ROOT / "sql" / "reconciliation").glob("*.sql"))
    assert {kind.name for kind in DIFF_KINDS if f"'{kind.name}'" not in sql} == NOT_LOOKED_FOR


def test_the_connections_example_is_valid_and_starts_in_preview(tmp_path: Path) -> None:
    (tmp_path / "connections.yaml").write_text(blocks(ROOT / "README.md", "yaml")[0], encoding="utf-8")
    described = read_connections(tmp_path / "connections.yaml")
    assert described.connections["halo"].effective_policy == "preview"
    assert described.connections["halo"].model_copy(update={"policy": None}).effective_policy == "preview"


def test_every_query_shown_runs_on_the_published_copy(tmp_path: Path) -> None:
    queries = [query for path in DOCUMENTS for query in blocks(path, "sql")]
    queries += re.findall(r"`(select [^`]+)`", text_of(ROOT / "docs" / "operations.md"))
    assert len(queries) >= 4
    publish(Warehouse(tmp_path / "w.duckdb"), tmp_path / "r.duckdb")
    with duckdb.connect(str(tmp_path / "r.duckdb"), read_only=True) as con:
        for query in queries:
            con.execute(query)


def test_commands_and_targets_that_are_named_exist() -> None:
    said = "".join(text_of(path) for path in DOCUMENTS)
    targets = set(re.findall(r"^([a-z]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)", said)) <= targets
    assert set(re.findall(r"`(?:\.venv/bin/)?ghl-payments ([a-z]+)", said)) <= set(main.commands)


def test_files_that_the_readme_names_exist() -> None:
    named = re.findall(r"`((?:ghl_payments|sql|docs|benchmarks)/[a-z_./]*)`", text_of(ROOT / "README.md"))
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_decisions_are_numbered_without_gaps_and_have_the_same_parts() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))
    for path in DECISIONS:
        assert re.findall(r"^## (.+)$", text_of(path), flags=re.MULTILINE) == ["Context", "Decision", "Consequences"]


def test_the_changelog_begins_with_the_version_of_the_project() -> None:
    versions = re.findall(r"^## (\S+)$", text_of(ROOT / "CHANGELOG.md"), flags=re.MULTILINE)
    assert versions[0] == PROJECT["version"]


def test_what_is_imported_is_declared_and_the_other_way_round() -> None:
    declared = {IMPORTED_AS.get(name, name) for name in names_of(PROJECT["dependencies"]) - NOT_IMPORTED}
    assert third_party_imports() == declared


def test_the_decision_on_dependencies_names_each_of_them() -> None:
    text = next(text_of(path) for path in DECISIONS if "dependencies" in path.name)
    assert [name for name in sorted(names_of(PROJECT["dependencies"])) if name not in text] == []


def test_constraints_pin_every_dependency_and_hold_no_address() -> None:
    lines = [line for line in text_of(ROOT / "constraints.txt").splitlines() if not line.startswith("#")]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.+!]+", line)] == []
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines}
    wanted = names_of(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"])
    assert wanted <= pinned
    assert "ghl-payments" not in pinned


@pytest.mark.parametrize("path", [*DOCUMENTS, *DECISIONS, ROOT / "docs" / "differences.md", ROOT / "CHANGELOG.md"])
def test_no_page_is_longer_than_one_can_read(path: Path) -> None:
    assert len(text_of(path).splitlines()) <= 200
