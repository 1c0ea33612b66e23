"""What can go wrong with a request, classified once by what to do about it.

Add a class only when a caller must act differently; which status and body map to which class stands in `classify.py`.
No message here ever holds a body, a query value or a credential.

    ApiError
    ├── Transient            a retry may help
    │   ├── Unreachable      nothing was sent
    │   └── Unreadable       a 2xx whose body is not the JSON it should be
    ├── RateLimited
    │   └── DailyLimitReached
    ├── Unauthorised
    │   ├── MissingScope
    │   └── WrongTokenClass  another sort of credential is needed for this request
    ├── Forbidden
    ├── Rejected
    ├── NotFound
    ├── Conflict
    ├── EndpointGone         the address takes no more requests, for good
    ├── AddressRefused       the address is not one that a request may go to
    ├── OutcomeUnknown       a write may or may not have been applied
    └── SchemaDrift          the answer is not what the contract says
"""

from __future__ import annotations

from typing import ClassVar


class ApiError(Exception):
    """A request that did not succeed; `path` may name a record's id, never a query.

    `remedy` says whether trying again can help and what a person can do.
    """

    default_remedy: ClassVar[str] = "See the vendor's status page."
    retry_after: float | None = None
    """Seconds after which the system asked to be tried again, where it did."""

    def __init__(
        self, *, system: str, method: str, path: str, status: int | None = None, remedy: str | None = None
    ) -> None:
        self.system = system
        self.method = method
        self.path = path
        self.status = status
        self.remedy = remedy or self.default_remedy
        answered = f"answered {status}" if status is not None else "got no usable answer"
        super().__init__(f"{system} {method} {path} {answered} ({type(self).__name__}). {self.remedy}")


class Transient(ApiError):
    """The system failed for now: timeouts, dropped connections, 5xx."""

    default_remedy = "Retries were exhausted; trying again later can help."


class Unreachable(Transient):
    """No connection could be made, so nothing was sent and nothing was applied."""

    default_remedy = "Check the base URL and the network; trying again is safe."


class Unreadable(Transient):
    """A successful status with a body that is not JSON, such as a maintenance page or a cut-off answer."""

    default_remedy = "The body is not the JSON it should be; trying again later can help."


class RateLimited(ApiError):
    """Refused by a rate limit; nothing was applied. `retry_after` is in seconds, None when the system did not say."""

    default_remedy = "Wait; nothing was applied. Other programs may be using the same credential."

    def __init__(
        self,
        *,
        system: str,
        method: str,
        path: str,
        status: int | None = None,
        remedy: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(system=system, method=method, path=path, status=status, remedy=remedy)
        self.retry_after = retry_after


class DailyLimitReached(RateLimited):
    """The day's quota is used up; nothing is sent until the reset."""

    default_remedy = "The daily quota is used up; run again after its reset."


class Unauthorised(ApiError):
    """The credential was not accepted, also not after one refresh where one is possible."""

    default_remedy = "Check the credential of this connection; trying again with the same one will not help."


class MissingScope(Unauthorised):
    """The credential is valid but lacks a scope. `scope` is its vendor's name, None until the caller names it."""

    default_remedy = "Tick the missing scope on the token; it takes effect without a new token."

    def __init__(
        self,
        *,
        system: str,
        method: str,
        path: str,
        status: int | None = None,
        remedy: str | None = None,
        scope: str | None = None,
    ) -> None:
        super().__init__(system=system, method=method, path=path, status=status, remedy=remedy)
        self.scope = scope


class WrongTokenClass(Unauthorised):
    """The credential is valid, but this request needs another sort of it; other requests may well succeed."""

    default_remedy = "This request needs another sort of credential; trying again with this one will not help."


class Forbidden(ApiError):
    """The credential may not do this, or not for this account."""

    default_remedy = "Check which account and rights the credential has; trying again will not help."


class Rejected(ApiError):
    """The request was understood and refused; nothing was applied and the same request will be refused again."""

    default_remedy = "The request was refused and nothing was applied; the same request will be refused again."


class NotFound(ApiError):
    """The system says that it has no such record."""

    default_remedy = "There is no such record; trying again will not help."


class Conflict(ApiError):
    """The record is locked or changed meanwhile; nothing was applied."""

    default_remedy = "The record was busy and nothing was applied; trying again later can help."


class EndpointGone(ApiError):
    """The receiver says that its address takes no more events and is to be left alone."""

    default_remedy = "The receiver takes no more events at this address; ask its operator for the new one."


class AddressRefused(ApiError):
    """The URL leads to an address that requests may not go to; nothing was sent."""

    default_remedy = "Give an https address that is reached from outside."


class OutcomeUnknown(ApiError):
    """A write may or may not have been applied; only reading the record back can tell."""

    default_remedy = "Read the record back by its key before sending anything again."


class SchemaDrift(ApiError):
    """The answer does not have the documented shape; key names may be given, values never."""

    default_remedy = "The API seems to have changed; nothing of this answer was used."
