"""Money as integer minor units with an ISO 4217 currency, and the one table of currency exponents.

Add here whatever turns amounts into minor units or back, for any system.
Parsing of whole documents belongs to `sql/`, which gets this table through `CURRENCY_EXPONENTS`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

MAX_MINOR = 10**15
"""Exclusive bound: beyond it a JSON number has already lost digits (a double holds 15-17)."""

_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP "
    "CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
    "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN "
    "NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP "
    "SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER ZAR ZMW ZWG"
)
_ZERO = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"

CURRENCY_EXPONENTS: dict[str, int] = {
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_ZERO.split(), 0),
    **dict.fromkeys(_THREE.split(), 3),
    **dict.fromkeys(_FOUR.split(), 4),
}
"""ISO 4217 code -> number of decimals of its minor unit."""

_MAX_DIGITS = len(str(MAX_MINOR)) - 1
_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")


class MoneyError(ValueError):
    """An amount that cannot be held exactly; `rule` is the quarantine rule it breaks."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Money:
    """An exact amount: `minor` counts the minor unit of `currency` (cents for USD, yen for JPY)."""

    minor: int
    currency: str

    def major_text(self) -> str:
        """Plain decimal text in major units with all decimals of the currency, e.g. `150.10`, `500`, `1.234`."""
        return major_text(self.minor, self.currency)


def exponent(currency: str) -> int:
    """Decimals of the currency's minor unit; MoneyError `currency_unknown` for anything not in ISO 4217."""
    try:
        return CURRENCY_EXPONENTS[currency]
    except KeyError:
        raise MoneyError("currency_unknown", f"{currency!r} is not an ISO 4217 currency known here") from None


def parse_major(text: str, currency: str) -> Money:
    """Exact minor units from the text of a JSON number in major units.

    Trailing zeros do not count as decimals. MoneyError rules: `currency_unknown`, `amount_not_numeric`,
    `amount_sub_minor` (more decimals than the currency has), `amount_too_large` (10^15 minor units and more).
    """
    places = exponent(currency)
    number = _NUMBER.fullmatch(text)
    if number is None:
        raise MoneyError("amount_not_numeric", "the amount is not a plain number")
    # Digits are counted, because arithmetic with Decimal would round to the context's precision.
    sign, whole, fraction, power = number.groups(default="")
    digits = (whole + fraction).lstrip("0")
    significant = digits.rstrip("0")
    if not significant:
        return Money(0, currency)
    zeros = int(power or 0) - len(fraction) + len(digits) - len(significant) + places
    if len(significant) + zeros > _MAX_DIGITS:
        raise MoneyError("amount_too_large", "the amount has 10^15 minor units or more")
    if zeros < 0:
        raise MoneyError("amount_sub_minor", f"the amount has more decimals than {currency} has")
    return Money(int(sign + significant) * 10**zeros, currency)


def major_decimal(minor: int, currency: str) -> Decimal:
    """The amount in major units as an exact Decimal with the currency's number of decimals."""
    return Decimal(minor).scaleb(-exponent(currency))


def major_text(minor: int, currency: str) -> str:
    """The amount in major units as plain text with the currency's number of decimals, e.g. `-0.05`."""
    return f"{major_decimal(minor, currency):f}"
