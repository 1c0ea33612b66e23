"""Amounts as texts with what they are worth, for the Python and the SQL of money alike.

Add a case when a new way of writing an amount is met; both sides are held to it.
"""

from __future__ import annotations

from typing import NamedTuple


class Example(NamedTuple):
    """A text in a currency: its minor units, or the rule it breaks."""

    text: str
    currency: str
    minor: int | None
    rule: str | None = None


CASES = (
    Example("150.1", "USD", 15_010),
    Example("150.10", "USD", 15_010),
    Example("150.100000000000", "USD", 15_010),
    Example("0.1", "USD", 10),
    Example("0.2", "EUR", 20),
    Example("-0.00", "USD", 0),
    Example("-0", "JPY", 0),
    Example("-12.34", "GBP", -1_234),
    Example("0", "USD", 0),
    Example("007.50", "USD", 750),
    Example("500", "JPY", 500),
    Example("500.0", "JPY", 500),
    Example("1.234", "KWD", 1_234),
    Example("1.5", "BHD", 1_500),
    Example("0.0001", "CLF", 1),
    Example("1e3", "USD", 100_000),
    Example("1E+3", "USD", 100_000),
    Example("1.5e-1", "USD", 15),
    Example("1e-2", "USD", 1),
    Example("9999999999999.99", "USD", 999_999_999_999_999),
    Example("-9999999999999.99", "USD", -999_999_999_999_999),
    Example("999999999999999", "JPY", 999_999_999_999_999),
    Example("10000000000000", "USD", None, "amount_too_large"),
    Example("1e15", "JPY", None, "amount_too_large"),
    Example("1e15", "USD", None, "amount_too_large"),
    Example("1e300", "USD", None, "amount_too_large"),
    Example("1e9999999999", "USD", None, "amount_too_large"),
    Example("0e9999999999", "USD", 0),
    Example("1e-9999999999", "USD", None, "amount_sub_minor"),
    Example("1234567890123." + "0" * 40 + "1", "USD", None, "amount_sub_minor"),
    Example("9999999999999.99999999", "USD", None, "amount_sub_minor"),
    Example("0." + "0" * 30 + "1", "USD", None, "amount_sub_minor"),
    Example("0" * 60 + "7.10" + "0" * 60, "USD", 710),
    Example("710000000000000000000000000000e-29", "USD", 710),
    Example("1000000000000000.01", "USD", None, "amount_too_large"),
    Example("-1e13", "USD", None, "amount_too_large"),
    Example("0.001", "USD", None, "amount_sub_minor"),
    Example("100.505", "USD", None, "amount_sub_minor"),
    Example("1e-3", "USD", None, "amount_sub_minor"),
    Example("500.5", "JPY", None, "amount_sub_minor"),
    Example("1.2345", "KWD", None, "amount_sub_minor"),
    Example("0.00001", "CLF", None, "amount_sub_minor"),
    Example("1,234.50", "USD", None, "amount_not_numeric"),
    Example("1 234.50", "USD", None, "amount_not_numeric"),
    Example("$5", "USD", None, "amount_not_numeric"),
    Example("", "USD", None, "amount_not_numeric"),
    Example(" 5", "USD", None, "amount_not_numeric"),
    Example("5 ", "USD", None, "amount_not_numeric"),
    Example("5\n", "USD", None, "amount_not_numeric"),
    Example("+5", "USD", None, "amount_not_numeric"),
    Example(".5", "USD", None, "amount_not_numeric"),
    Example("5.", "USD", None, "amount_not_numeric"),
    Example("--5", "USD", None, "amount_not_numeric"),
    Example("NaN", "USD", None, "amount_not_numeric"),
    Example("Infinity", "USD", None, "amount_not_numeric"),
    Example("0x10", "USD", None, "amount_not_numeric"),
    Example("true", "USD", None, "amount_not_numeric"),
    Example("٣", "USD", None, "amount_not_numeric"),
    Example("5", "XXZ", None, "currency_unknown"),
    Example("5", "usd", None, "currency_unknown"),
    Example("5", "", None, "currency_unknown"),
)
