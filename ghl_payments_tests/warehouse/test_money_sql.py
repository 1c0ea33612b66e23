"""The SQL macros of money agree with `domain/money.py` on every text, in every currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ghl_payments.domain.money import CURRENCY_EXPONENTS, MAX_MINOR, MoneyError, major_text, parse_major
from ghl_payments_tests.domain.amounts import CASES
from ghl_payments_tests.warehouse.desk import Desk

STATE_OF_RULE = {
    "amount_sub_minor": "sub_minor", "amount_not_numeric": "not_numeric", "amount_too_large": "too_large",
    "currency_unknown": "currency_unknown",
}  # fmt: skip
CURRENCIES = ("USD", "JPY", "KWD", "CLF", "XXZ")
DIGITS = st.text("0123456789", min_size=1, max_size=16)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]), DIGITS, st.just("") | DIGITS.map(".{}".format),
    st.just("") | st.builds("{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), st.integers(0, 40)),
)  # fmt: skip
NEARLY_NUMBERS = st.text("0123456789.-+eE, \n", max_size=12)
ONE_SESSION = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def python_says(text: str, currency: str) -> tuple[str, int | None]:
    try:
        return "exact", parse_major(text, currency).minor
    except MoneyError as error:
        return STATE_OF_RULE[error.rule], None


def sql_says(con: duckdb.DuckDBPyConnection, pairs: list[tuple[str, str]]) -> list[tuple[str, int | None]]:
    return con.execute(
        """select amount_state(a.text, c.exponent), to_minor(a.text, c.exponent)
        from (select unnest($texts) as text, unnest($codes) as code, unnest($places) as place) as a
        left join ops.currencies as c on c.code = a.code order by a.place""",
        {
            "texts": [text for text, _ in pairs],
            "codes": [code for _, code in pairs],
            "places": list(range(len(pairs))),
        },
    ).fetchall()


def expected_state(text: str, currency: str) -> tuple[str, int | None]:
    """The SQL looks at the text first, Python at the currency; both say the first thing that is wrong."""
    state, minor = python_says(text, currency)
    if state == "currency_unknown" and python_says(text, "USD")[0] == "not_numeric":
        return "not_numeric", None
    return state, minor


def test_both_read_the_table_of_amounts_alike(desk: Desk) -> None:
    pairs = [(case.text, case.currency) for case in CASES]
    assert dict(zip(pairs, sql_says(desk.con, pairs), strict=True)) == {pair: expected_state(*pair) for pair in pairs}


@ONE_SESSION
@given(texts=st.lists(st.one_of(NUMBERS, NUMBERS, NEARLY_NUMBERS, st.text(max_size=8)), min_size=1, max_size=60))
@example(texts=["0." + "0" * 20 + "1", "1e-30", "1e-400", "1e400", "0." + "9" * 30, "1." + "0" * 30, "0" * 60 + "7"])
def test_both_read_any_text_alike(desk: Desk, texts: list[str]) -> None:
    pairs = [(text, currency) for text in texts if "\x00" not in text for currency in CURRENCIES]
    assert dict(zip(pairs, sql_says(desk.con, pairs), strict=True)) == {pair: expected_state(*pair) for pair in pairs}


@ONE_SESSION
@given(minors=st.lists(st.integers(-MAX_MINOR + 1, MAX_MINOR - 1), min_size=1, max_size=200))
@example(minors=[0, 1, -1, 5, -5, 99, 100, -100, 10_000, MAX_MINOR - 1, -MAX_MINOR + 1])
def test_both_write_the_same_plain_text(desk: Desk, minors: list[int]) -> None:
    rows = desk.con.execute(
        """select m.minor, c.code, major_text(m.minor, c.exponent) from (select unnest($minors) as minor) as m
        cross join ops.currencies as c where c.code in ('USD', 'JPY', 'KWD', 'CLF')""",
        {"minors": minors},
    ).fetchall()
    assert all(text == major_text(minor, code) for minor, code, text in rows)


@ONE_SESSION
@given(amounts=st.lists(st.decimals("-1e11", "1e11", places=7), min_size=1, max_size=100))
@example(amounts=[Decimal("150.10000000000002"), Decimal("0.005"), Decimal("-0.005"), Decimal("0.0049999")])
def test_a_targets_double_is_rounded_half_away_from_zero(desk: Desk, amounts: list[Decimal]) -> None:
    rows = desk.con.execute(
        "select text, to_minor_rounded(text, 2) from (select unnest($texts) as text)",
        {"texts": [f"{amount:f}" for amount in amounts]},
    ).fetchall()
    assert all(minor == int((Decimal(text) * 100).quantize(Decimal(1), ROUND_HALF_UP)) for text, minor in rows)


def test_sums_of_a_million_cents_are_exact(desk: Desk) -> None:
    assert desk.con.execute(
        "select sum(to_minor('0.01', 2))::bigint, sum(to_minor('0.1', 2) + to_minor('0.2', 2))::bigint "
        "from range(1000000)"
    ).fetchone() == (1_000_000, 30_000_000)


def test_the_warehouse_knows_the_same_currencies(desk: Desk) -> None:
    assert dict(desk.con.execute("select code, exponent from ops.currencies").fetchall()) == CURRENCY_EXPONENTS


@pytest.mark.parametrize(("json", "expected"), [
    ("100.5", "100.5"), ("-7", "-7"), ("150.10", "150.1"), ('"100"', None), ("null", None), ("true", None), ("[1]", None),
])  # fmt: skip
def test_only_a_json_number_counts_as_one(desk: Desk, json: str, expected: str | None) -> None:
    found = desk.con.execute("select number_text($json::json)", {"json": json}).fetchone()
    assert found == (expected,)


@ONE_SESSION
@given(minors=st.lists(st.integers(-MAX_MINOR + 1, MAX_MINOR - 1), min_size=1, max_size=200))
@example(minors=[MAX_MINOR - 1, -MAX_MINOR + 1, 999_999_999_999_99, 1, 10])
def test_an_amount_in_a_json_document_keeps_every_digit(desk: Desk, minors: list[int]) -> None:
    for currency in ("JPY", "USD", "KWD", "CLF"):
        documents = [f'{{"amount": {major_text(minor, currency)}}}' for minor in minors]
        rows = desk.con.execute(
            """select to_minor(d.text::json ->> '$.amount', $exponent)
            from (select unnest($texts) as text, unnest($places) as place) as d order by d.place""",
            {"texts": documents, "places": list(range(len(minors))), "exponent": CURRENCY_EXPONENTS[currency]},
        ).fetchall()
        assert [row[0] for row in rows] == minors
