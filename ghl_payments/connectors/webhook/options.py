"""What a person chooses for one receiver of events: the address, the envelope, and how it can be read, if at all.

Add a choice here when receivers differ in something that no request can find out.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from ghl_payments.connectors.webhook.templates import check_url, path_steps, placeholders

LEVELS = ("list", "get", "none")


def _path(text: str) -> str:
    path_steps(text)
    return text


JsonPath = Annotated[str, AfterValidator(_path)]
Status = Annotated[int, Field(ge=200, le=499)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GetTemplate(_Strict):
    """How one record is read. `{key}` is `ghl:order:ID`, `{id}` GHL's id, `{entity}` order, transaction and so on."""

    url: str
    found: tuple[Status, ...] = (200,)
    missing: tuple[Status, ...] = (404, 410)

    @field_validator("url")
    @classmethod
    def _names_the_record(cls, value: str) -> str:
        required = () if "id" in placeholders(value) else ("key",)
        return check_url(value, ("base", "key", "id", "entity"), required)


class ListTemplate(_Strict):
    """How all records are read. `items` finds the rows of a page, `total` their number in all where it is told.

    `next` finds the cursor that goes into `{cursor}`, or is `link` for a Link header; with `{page}` (from 1) or
    `{offset}` pages are read until one is empty. `{since}` is filled with the beginning of time.
    """

    url: str
    items: JsonPath
    next: str | None = None
    total: JsonPath | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 100

    @field_validator("url")
    @classmethod
    def _known_names(cls, value: str) -> str:
        return check_url(value, ("base", "entity", "limit", "cursor", "page", "offset", "since"))

    @field_validator("items")
    @classmethod
    def _finds_many(cls, value: str) -> str:
        if not value.endswith("[*]"):
            msg = "must end with [*], as it finds the rows of a page, for instance $.data[*]"
            raise ValueError(msg)
        return value

    @field_validator("next")
    @classmethod
    def _link_or_path(cls, value: str | None) -> str | None:
        return value if value is None or value == "link" else _path(value)

    @model_validator(mode="after")
    def _one_way_on(self) -> Self:
        by_cursor = self.next not in (None, "link")
        if by_cursor != ("cursor" in placeholders(self.url)):
            msg = "`next: $.path` and {cursor} in `url` go together: the one finds what the other is filled with"
            raise ValueError(msg)
        return self


class ReadAuth(_Strict):
    """How reads sign in; `role`, and for basic `user_role` too, are roles under the connection's `credentials`."""

    type: Literal["header", "bearer", "basic"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "X-API-Key"
    role: str = "read_token"
    user_role: str = "read_user"


class ReadMap(_Strict):
    """Where a record of the receiver says what. `key` is what our events call `key`; the rest may be left out.

    What is not told is not compared: there the last accepted event counts. `amount` is in major units.
    """

    key: JsonPath
    id: JsonPath | None = None
    location: JsonPath | None = None
    amount: JsonPath | None = None
    currency: JsonPath | None = None
    status: JsonPath | None = None
    updated_at: JsonPath | None = None
    hash: JsonPath | None = None

    @property
    def told(self) -> tuple[str, ...]:
        """What of a record can be compared."""
        return tuple(name for name in ("amount", "currency", "status", "hash") if getattr(self, name) is not None)


class ReadBack(_Strict):
    """How the receiver is read. `per_run` bounds how many unchanged records a run asks for one by one."""

    get: GetTemplate | None = None
    list: ListTemplate | None = None
    auth: ReadAuth | None = None
    map: ReadMap
    per_run: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _something_to_read(self) -> Self:
        if self.get is None and self.list is None:
            msg = "needs `get`, `list` or both; without any leave `read_back` out"
            raise ValueError(msg)
        return self


class Options(_Strict):
    """The `options` of a target that is told of records by signed events.

    `endpoint` takes the events. `signing: none` is for receivers that know us by something else. `contact_fields` are
    what events may say of a person. `allow_private` permits a receiver in a network of one's own.
    """

    endpoint: str = "{base}"
    envelope: Literal["standard", "cloudevents_structured", "cloudevents_binary"] = "standard"
    signing: Literal["standard_webhooks", "none"] = "standard_webhooks"
    idempotency_key: Literal["off", "quoted", "bare"] = "off"
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "ghl"
    contact_fields: tuple[Literal["id", "name", "email", "phone"], ...] = ()
    allow_private: bool = False
    read_back: ReadBack | None = None

    @field_validator("endpoint")
    @classmethod
    def _one_address(cls, value: str) -> str:
        return check_url(value, ("base",))

    @model_validator(mode="after")
    def _all_is_signed(self) -> Self:
        if self.envelope == "cloudevents_binary" and self.signing != "none":
            msg = (
                "envelope: cloudevents_binary puts the event's type and id into ce-* headers, which the signature does "
                "not cover, so that anybody on the way could change them; use cloudevents_structured, or signing: none"
            )
            raise ValueError(msg)
        return self

    @property
    def level(self) -> str:
        """The best level of `read_back` that these options permit."""
        if self.read_back is None:
            return "none"
        return "list" if self.read_back.list is not None else "get"
