"""Money: text to minor units and back, exactly, for every currency; what cannot be exact is refused by name."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ghl_payments.domain.money import (
    CURRENCY_EXPONENTS,
    MAX_MINOR,
    Money,
    MoneyError,
    exponent,
    major_decimal,
    major_text,
    parse_major,
)
from ghl_payments_tests.domain.amounts import CASES, Example

minors = st.integers(-MAX_MINOR + 1, MAX_MINOR - 1)
currencies = st.sampled_from(sorted(CURRENCY_EXPONENTS))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.text} {case.currency}")
def test_a_text_has_exact_minor_units_or_a_rule_it_breaks(case: Example) -> None:
    if case.minor is None:
        with pytest.raises(MoneyError) as refused:
            parse_major(case.text, case.currency)
        assert refused.value.rule == case.rule
    else:
        assert parse_major(case.text, case.currency) == Money(case.minor, case.currency)


@given(minor=minors, currency=currencies)
def test_minor_units_survive_the_way_to_text_and_back(minor: int, currency: str) -> None:
    text = major_text(minor, currency)
    assert parse_major(text, currency) == Money(minor, currency)
    assert Money(minor, currency).major_text() == text


@given(minor=minors, currency=currencies)
def test_text_has_all_decimals_of_its_currency_and_no_exponent(minor: int, currency: str) -> None:
    whole, _, decimals = major_text(minor, currency).lstrip("-").partition(".")
    assert whole.isdigit()
    assert len(decimals) == exponent(currency)


@given(minor=minors, currency=currencies)
def test_a_decimal_in_major_units_is_exact(minor: int, currency: str) -> None:
    assert Fraction(major_decimal(minor, currency)) == Fraction(minor, 10 ** exponent(currency))


@given(minor=minors, currency=currencies, zeros=st.integers(1, 9))
def test_trailing_zeros_are_no_decimals(minor: int, currency: str, zeros: int) -> None:
    text = major_text(minor, currency)
    longer = text + "0" * zeros if "." in text else f"{text}.{'0' * zeros}"
    assert parse_major(longer, currency).minor == minor


@given(minor=minors.filter(lambda minor: minor % 10 != 0), currency=currencies)
def test_one_decimal_too_many_is_refused_rather_than_rounded(minor: int, currency: str) -> None:
    text = f"{major_decimal(minor, currency).scaleb(-1):f}"
    with pytest.raises(MoneyError) as refused:
        parse_major(text, currency)
    assert refused.value.rule == "amount_sub_minor"


def test_cents_that_floats_lose_add_up() -> None:
    cents = parse_major("0.01", "USD").minor
    assert cents * 10**6 == parse_major("10000", "USD").minor
    assert parse_major("0.1", "USD").minor + parse_major("0.2", "USD").minor == parse_major("0.3", "USD").minor


def test_a_refusal_never_repeats_the_amount() -> None:
    with pytest.raises(MoneyError) as refused:
        parse_major("12345.678", "USD")
    assert "12345" not in str(refused.value)


def test_the_table_has_every_number_of_decimals_and_only_plain_codes() -> None:
    assert set(CURRENCY_EXPONENTS.values()) == {0, 2, 3, 4}
    assert all(len(code) == 3 and code.isupper() and code.isascii() for code in CURRENCY_EXPONENTS)
    known = {"USD": 2, "JPY": 0, "ISK": 0, "UGX": 0, "KWD": 3, "BHD": 3, "CLF": 4}
    assert {code: CURRENCY_EXPONENTS[code] for code in known} == known


def test_a_decimal_has_the_decimals_of_its_currency() -> None:
    assert str(major_decimal(15010, "USD")) == "150.10"
    assert major_decimal(500, "JPY") == Decimal(500)
    assert [major_text(-5, code) for code in ("JPY", "USD", "KWD", "CLF")] == ["-5", "-0.05", "-0.005", "-0.0005"]
