"""How results look in a terminal: tables a manager understands.

Only text is made here; data comes from `published.py` and `loop.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tabulate import tabulate

from ghl_payments.domain.diff_kinds import KIND_BY_NAME
from ghl_payments.domain.money import CURRENCY_EXPONENTS, major_text

MAX_ROWS = 50

DELIVERED = "delivered_unverified: accepted, but what they say cannot be read back; whether it was kept is not known."


def money(amounts: dict[str, int]) -> str:
    """`USD 1,234.50, JPY 500` from minor units by currency."""
    return ", ".join(f"{code} {_grouped(minor, code)}" for code, minor in sorted(amounts.items()))


def _grouped(minor: int, code: str) -> str:
    text = major_text(abs(minor), code) if code in CURRENCY_EXPONENTS else str(abs(minor))
    whole, dot, decimals = text.partition(".")
    return f"{'-' if minor < 0 else ''}{int(whole):,}{dot}{decimals}"


def table(rows: Sequence[Sequence[Any]], headers: Sequence[str]) -> str:
    """A plain table."""
    return str(tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True))


def diff_lines(summary: dict[str, Any]) -> str:
    """Open differences by system and kind, with what each means."""
    rows = [
        [item["system"], item["kind"], item["count"], money(item["amount_minor"]), KIND_BY_NAME[item["kind"]].meaning]
        for item in summary["by"]
    ]
    heads = ["system", "difference", "open", "money (each sale once)", "meaning"]
    return table(rows, heads) if rows else "No open differences."


def run_report(report: dict[str, Any]) -> str:
    """What a turn read, found and did."""
    streams = [
        [name, s.get("rows", s.get("fetched", 0)), s.get("requests", 0), s.get("slices_complete", ""),
         s.get("slices_incomplete", "")]
        for name, s in report["streams"].items()
    ]  # fmt: skip
    parts = [
        table(streams, ["stream", "rows", "requests", "slices complete", "incomplete"]),
        diff_lines(report["diffs"]),
    ]
    parts.append(change_lines(report["changes"], report.get("irreversible")))
    parts.extend(brake_lines(report["brakes"]))
    for location, failures in report["failures"].items():
        parts.append(f"FAILED {location}:\n  " + "\n  ".join(failures))
    parts.append(f"Turn {report['run_id']} took {report['seconds']:.1f} s.")
    return "\n\n".join(parts)


def brake_lines(brakes: list[dict[str, Any]]) -> list[str]:
    """Each active brake with its reason and the command that releases it."""
    return [
        f"BRAKE {brake['brake']} on {brake['connection']} ({brake['reason']}): {_held_by(brake['brake'])}. "
        f"When that is right: `ghl-payments release --connection {brake['connection']}`."
        for brake in brakes
    ]


def _held_by(brake: str) -> str:
    return "nothing is sent" if brake == "endpoint_gone" else "all creates are held"


def change_lines(changes: dict[str, int], irreversible: dict[str, int] | None = None) -> str:
    """Changes by state in one line, in a second one those that no system can take back."""
    lines = "Changes: " + (_by_state(changes) or "none")
    if changes.get("delivered_unverified"):
        lines += "\n" + DELIVERED
    return f"{lines}\nIrreversible among them: {_by_state(irreversible)}" if irreversible else lines


def _by_state(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items())


def status_report(report: dict[str, Any]) -> str:
    """Completeness, open differences, changes and brakes."""
    rows = [
        [location, stream, item["rows"], item["slices_complete"], item["slices_incomplete"]]
        for location, entry in report["locations"].items()
        for stream, item in entry["streams"].items()
    ]
    parts = [table(rows, ["location", "stream", "rows", "slices complete", "incomplete"]), diff_lines(report["diffs"])]
    parts.append(change_lines(report["changes"], report.get("irreversible")))
    parts.extend(brake_lines(report["brakes"]))
    parts.extend(webhook_lines(report["webhooks"]))
    return "\n\n".join(parts)


def webhook_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Webhooks by event type: how many there should have been, were received and were lost, and how late they came."""
    shown = [
        [r["location_id"], r["event"] or r["system"], "" if r["expected"] is None else r["expected"], r["received"],
         r["copies"], "" if r["lost"] is None else r["lost"],
         "" if r["delay_p50"] is None else f"{r['delay_p50']:.1f} / {r['delay_p99']:.1f} s"]
        for r in rows
    ]  # fmt: skip
    heads = ["location", "webhook", "expected", "received", "copies", "lost", "delay p50 / p99"]
    return [table(shown, heads)] if shown else []


def _amount(row: dict[str, Any]) -> str:
    if row["amount_minor"] is None:
        return ""
    return money({row["currency"]: row["amount_minor"]}) if row["currency"] else str(row["amount_minor"])


def _cut(rows: list[Any]) -> str:
    return f"\n… and {len(rows) - MAX_ROWS} more; `--json` prints all." if len(rows) > MAX_ROWS else ""


def diff_table(rows: list[dict[str, Any]]) -> str:
    """The first differences, and how many more there are."""
    shown = [
        [r["state"], r["system"], r["record_type"], r["key"], r["kind"] + (f" ({r['class']})" if r["class"] else ""),
         _amount(r), r["reason"] or ""]
        for r in rows[:MAX_ROWS]
    ]  # fmt: skip
    return table(shown, ["state", "system", "record", "key", "difference", "money", "reason"]) + _cut(rows)


def _operation(row: dict[str, Any]) -> str:
    return f"{row['operation']}, irreversible" if row["irreversible"] else str(row["operation"])


def change_table(rows: list[dict[str, Any]]) -> str:
    """The first changes, and how many more there are."""
    shown = [
        [r["state"], _operation(r), r["system"], r["record_type"], r["key"], ", ".join(r["fields"]), _amount(r),
         r["attempts"], r["reason"] or ""]
        for r in rows[:MAX_ROWS]
    ]  # fmt: skip
    heads = ["state", "operation", "system", "record", "key", "fields", "money", "attempts", "reason"]
    return table(shown, heads) + _cut(rows)
