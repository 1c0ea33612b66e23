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
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class GetTemplate(_Strict):
    """How one record is read."""

    url: str
    """`{key}` is `ghl:order:ID`, `{id}` GHL's id, `{entity}` order, transaction and so on, `{base}` the base_url."""
    found: tuple[Status, ...] = (200,)
    """Statuses with which the record comes."""
    missing: tuple[Status, ...] = (404, 410)
    """Statuses that say that there is none."""

    @field_validator("url")
    @classmethod
    def _names_the_record(cls, value: str) -> str:
        required = () if "id" in placeholders(value) else ("key",)
        return check_url(value, ("base", "key", "id", "entity"), required)


class ListTemplate(_Strict):
    """How all records are read."""

    url: str
    """May have `{limit}`, `{entity}`, and one of `{cursor}`, `{page}` (from 1) and `{offset}`; with the last two pages
    are read until one is empty. Without any of the three and `next` the first page must be all: one as long as its
    `{limit}` proves nothing. `{since}` is filled with the beginning of time."""
    items: JsonPath
    """Where the rows of a page are, for instance `$.data[*]`."""
    next: str | None = None
    """Where the cursor of the next page is, or `link` for a Link header."""
    total: JsonPath | None = None
    """Where the number of all rows is: what proves best that none is left out."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many rows a page is asked for."""

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
    """How reads sign in."""

    type: Literal["header", "bearer", "basic"]
    """An API key in a header, a bearer token, or a user name and a password."""
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")] = "X-API-Key"
    """The name of the header."""
    role: str = "read_token"
    """The role under the connection's `credentials` of the key, token or password."""
    user_role: str = "read_user"
    """The role of the user name."""


class ReadMap(_Strict):
    """Where a record of the receiver says what. What is not told is not compared: the last accepted event counts."""

    key: JsonPath
    """What our events call `key`."""
    id: JsonPath | None = None
    """The receiver's own id of the record."""
    location: JsonPath | None = None
    """What our events call `locationId`."""
    amount: JsonPath | None = None
    """The amount in major units."""
    currency: JsonPath | None = None
    """Its currency."""
    status: JsonPath | None = None
    """The status."""
    updated_at: JsonPath | None = None
    """What our events call `version`."""
    hash: JsonPath | None = None
    """What our events call `contentHash`: with it everything that was said is compared."""

    @property
    def told(self) -> tuple[str, ...]:
        """What of a record can be compared."""
        return tuple(name for name in ("amount", "currency", "status", "hash") if getattr(self, name) is not None)


class ReadBack(_Strict):
    """How the receiver is read."""

    get: GetTemplate | None = None
    """How one record is read."""
    list: ListTemplate | None = None
    """How all records are read."""
    auth: ReadAuth | None = None
    """How reads sign in."""
    map: ReadMap
    """Where a record of the receiver says what."""
    per_run: Annotated[int, Field(ge=0)] | None = None
    """Without a list: how many unchanged records a run asks for again."""

    @model_validator(mode="after")
    def _something_to_read(self) -> Self:
        if self.get is None and self.list is None:
            msg = "needs `get`, `list` or both; without any leave `read_back` out"
            raise ValueError(msg)
        return self


class Options(_Strict):
    """The `options` of a target that is told of records by signed events."""

    endpoint: str = "{base}"
    """Where events go; `{base}` is the base_url."""
    envelope: Literal["standard", "cloudevents_structured", "cloudevents_binary"] = "standard"
    """The form of the body."""
    signing: Literal["standard_webhooks", "none"] = "standard_webhooks"
    """`none` is for receivers that know us by something else."""
    idempotency_key: Literal["off", "quoted", "bare"] = "off"
    """Whether the event's id is sent as Idempotency-Key too, and in which form."""
    source: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] = "ghl"
    """What events say of where they come from."""
    contact_fields: tuple[Literal["id", "name", "email", "phone"], ...] = ()
    """What events may say of a person."""
    allow_private: bool = False
    """Permits a receiver in a network of one's own."""
    read_back: ReadBack | None = None
    """How the receiver is read; without it nothing is ever verified."""

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
