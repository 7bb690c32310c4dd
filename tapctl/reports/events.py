"""The records of a run: every line of JSON Lines, with the keys that it has and what they mean.

Keys and records are only added. A reader takes a key that it does not know as it is.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

_LONGEST_S: Final = 1e9
"""More seconds than any run takes, and few enough to be reckoned with."""
Seconds = Annotated[float, Field(ge=0, le=_LONGEST_S, allow_inf_nan=False, description="Seconds.")]
Address = Annotated[str, Field(description="A resource: type/id.")]


class Event(BaseModel):
    """A line of any kind."""

    model_config = ConfigDict(extra="allow", frozen=True)


class Version(Event):
    """The first line: versions and target. Empty is what is not known yet, or all environments."""

    type: Literal["version"]
    ui: str
    tapctl: str
    verb: str
    env: str
    suffix: str
    account: str
    region: str
    config_hash: str
    identity: str = ""


class Need(Event):
    """A resource of the stack, and the addresses that it needs."""

    address: Address
    needs: list[Address] = []


class Stack(Event):
    """The resources that the command is about, as a graph."""

    type: Literal["stack"]
    resources: list[Need]


class FieldChange(Event):
    """A field that is to be changed. Null: the field is not there, or not wanted."""

    path: str
    have: Any
    want: Any
    impact: str
    outside: bool = False
    until: str | None = None
    text: str = Field("", description="The change as people read it.")


class Blocked(Event):
    """The reason why a change will not be made."""

    code: str
    message: str
    hint: str | None = None


class PlannedChange(Event):
    """A change that an apply would make, or something that a plan has to say of a resource."""

    type: Literal["planned_change"]
    address: Address
    resource_type: str
    action: Literal["nothing", "settle", "update", "create", "replace", "delete"]
    fields: list[FieldChange]
    impact: str = "none"
    outside: bool = False
    note: str = ""
    blocked: Blocked | None = None


class Progress(Event):
    """A resource is waited for: AWS's own status."""

    type: Literal["progress"]
    address: Address
    status: str
    elapsed_s: Seconds
    awaiting: str = ""
    usual_s: Seconds = 0


class Resource(Event):
    """The end of the work on a resource, or the word that there was none."""

    type: Literal["resource"]
    address: Address
    id: str
    result: Literal["created", "updated", "replaced", "deleted", "kept", "unchanged", "failed", "skipped"]
    elapsed_s: Seconds
    note: str = ""


class Place(Event):
    """The line that decides a field."""

    file: str
    line: int
    key: str = ""


class Who(Event):
    """Whoever changed a field, as CloudTrail tells it."""

    principal: str = ""
    at: str = ""
    via: str = ""
    event: str = ""
    event_id: str = ""
    run: str | None = None
    note: str = ""


class Waiver(Event):
    """The word that lets a difference be."""

    owner: str
    reason: str
    until: str


class Finding(Event):
    """A field, or with ``*`` a resource, that is not as recorded or could not be compared."""

    type: Literal["finding"]
    id: str = ""
    fingerprint: str = ""
    address: Address
    resource_type: str
    field: str
    state: Literal["DRIFT", "PENDING", "UNKNOWN", "MISSING", "UNEXPECTED", "WAIVED"]
    severity: Literal["high", "medium", "low"] = "low"
    recorded: Any
    live: Any
    text: str = Field("", description="The difference as people read it.")
    note: str = ""
    edit: str = ""
    accept: str = ""
    waive: str = ""
    undo: str = ""
    undo_note: str = ""
    read: str = ""
    read_note: str = ""
    now: str = ""
    env: str = ""
    suffix: str = ""
    cause: str | None = None
    config: Place | None = None
    who: Who | None = None
    waiver: Waiver | None = None


class Output(Event):
    """A value by its name."""

    type: Literal["output"]
    name: str
    value: str


class FileProblem(Event):
    """A mistake in a file; line 0 where the line is not known."""

    file: str
    key: str
    value: str
    rule: str
    line: int = 0


class AwsCall(Event):
    """The call to AWS that an error is about."""

    service: str
    operation: str
    code: str
    request_id: str | None = None


class Error(Event):
    """An error."""

    type: Literal["error"]
    code: str
    message: str
    why: str | None
    hint: str | None
    aws: AwsCall | None
    retry_safe: bool
    state: str = ""
    problems: list[FileProblem] = []


class Warned(Event):
    """A sentence that should be read."""

    type: Literal["warning"]
    message: str


class Preflight(Event):
    """A check before the first change."""

    type: Literal["preflight"]
    check: str
    ok: bool | None
    detail: str
    action: str | None = None
    resource: str | None = None


class Estimate(Event):
    """The time that the changes usually take."""

    type: Literal["estimate"]
    usual_s: Seconds
    critical_path: list[Address]
    resources: dict[str, Seconds] = Field({}, description="Address to the usual seconds of the work on it.")


class Span(Event):
    """A call to AWS (``rds:CreateDBCluster``) or a wait, in seconds since the command began."""

    type: Literal["span"]
    address: str = Field(description="The resource: type/id; empty for a call that is no resource's.")
    phase: str
    start_s: Seconds
    end_s: Seconds
    calls: int


class PlanFile(Event):
    """The plan as a file."""

    type: Literal["plan"]
    hash: str
    path: str | None = None
    expires: str | None = None


class Status(Event):
    """An environment that is deployed."""

    type: Literal["status"]
    environment: str
    resources: int
    since: str
    by: str
    health: str
    suffix: str = ""
    problems: list[str] = Field([], description="What is not well, or could not be seen.")
    unseen: list[str] = Field(
        [], description="Those of the problems that could not be seen, or that a run left half way."
    )
    next: str = Field("", description="What to run or to do next; empty where all is well.")
    not_compared: list[str] = Field([], description="As in the verdict of a drift.")


class Difference(Event):
    """A difference between environments, or between versions of a record."""

    type: Literal["difference"]
    where: str
    what: str
    values: dict[str, Any]
    verdict: str
    waivers: list[Waiver] = []


class Certificate(Event):
    """The fate of a resource that a destroy was to remove."""

    type: Literal["certificate"]
    state: str
    address: Address
    until: str
    why: str


class Graph(Event):
    """The stack as the source of a picture."""

    type: Literal["graph"]
    format: str
    text: str


class IamPolicy(Event):
    """The rights that a command needs, as the documents of a role."""

    type: Literal["iam_policy"]
    verb: str = Field(alias="for")


class Document(Event):
    """A text or value that is the answer as it is: a manifest, a schema, a report."""

    type: Literal["document"]


class Row(Event):
    """A row of a table that has no kind of its own."""

    type: Literal["row"]


class Verdict(Event):
    """The last line; of many environments, the last of each, and one for all."""

    type: Literal["verdict"]
    verb: str
    env: str
    suffix: str = ""
    status: str
    exit: int
    counts: dict[str, int]
    elapsed_s: Seconds
    api_calls: int
    changing_calls: int = 0
    manifest: str
    summary: str = ""
    plan_hash: str | None = None
    impacts: dict[str, int] | None = None
    compared: int | None = None
    not_compared: list[str] | None = None


Line = Annotated[
    Version
    | Stack
    | PlannedChange
    | Progress
    | Resource
    | Finding
    | Output
    | Error
    | Warned
    | Preflight
    | Estimate
    | Span
    | PlanFile
    | Status
    | Difference
    | Certificate
    | Graph
    | IamPolicy
    | Document
    | Row
    | Verdict,
    Field(discriminator="type"),
]
LINE: Final[TypeAdapter[Any]] = TypeAdapter(Line)
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """Make the JSON Schema (draft 2020-12) of a line."""
    title = {"title": "a line of tapctl --json", "description": "Keys and kinds of line are only added."}
    return {"$schema": DIALECT, **title, **LINE.json_schema()}
