from __future__ import annotations

import io
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws import trail
from tapctl.aws.client import Aws, Connection, Identity
from tapctl.engine.drift import Finding, Reason, Report, Who
from tapctl.engine.record import Entry, Phase
from tapctl.findings.authors import with_causes, with_who
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import registry
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.pool import ClientPool
from tapctl.session.session import Session
from tests.conftest import ACCOUNT
from tests.manifest.examples import manifest
from tests.support.config_folder import Folder

NOW = datetime(2031, 5, 6, 8, 0, tzinfo=UTC)
LATER = "2031-05-06T07:30:00Z"
GROUP = Entry(type="security-group", id="db-sg-dev", phase=Phase.MADE, spec={}, outputs={"group_id": "sg-1"})
RULES = Entry(type="security-group-rules", id="db-sg-dev", phase=Phase.MADE, spec={})
ROLE = Entry(type="iam-role", id="lambda-role-dev", phase=Phase.MADE, spec={})


class History(Aws):
    """An AWS whose event history holds these events, of any region."""

    events: tuple[Mapping[str, Any], ...] = ()

    def client(self, service: str, *, retries: bool = True) -> Any:
        assert (service, retries) == ("cloudtrail", False)
        return self

    def lookup_events(self, **asked: Any) -> Any:
        (attribute,) = asked["LookupAttributes"]
        found = [
            each
            for each in self.events
            if attribute["AttributeValue"] in (each["eventName"], *each["requestParameters"].values())
        ]
        told = [
            {"CloudTrailEvent": json.dumps(each)}
            | ({"EventTime": datetime.fromisoformat(at)} if (at := each["eventTime"]).endswith("Z") else {})
            for each in found
        ]
        at = int(asked.get("NextToken", 0))
        page = {"Events": told[at : at + 50]}
        return page | ({"NextToken": str(at + 50)} if told[at + 50 :] else {})


def event(name: str, at: str = LATER, agent: str = "aws-cli/2", **request: Any) -> dict[str, Any]:
    identity = {"type": "IAMUser", "userName": "alice"}
    return {
        "eventName": name,
        "eventTime": at,
        "eventID": f"e-{at}",
        "userAgent": agent,
        "userIdentity": identity,
        "requestParameters": request,
    }


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    monkeypatch.setattr(trail, "PAUSE_S", 0)
    folder = Folder(tmp_path / "environments")
    aws = History(Connection("us-east-2"))
    aws.identity = Identity(ACCOUNT, f"arn:aws:iam::{ACCOUNT}:user/me")
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    store = open_store(str(tmp_path / "manifests"), None)
    return Session(Invocation("drift"), screen, folder.load()["dev"], Target("dev", "dev"), aws, store)


def _happened(session: Session, *events: Mapping[str, Any]) -> None:
    """Let CloudTrail know of these events."""
    assert isinstance(session.aws, History)
    session.aws.events = events


def told(
    session: Session,
    entry: Entry,
    field: str,
    *events: Mapping[str, Any],
    record: Manifest | None = None,
    reason: Reason = Reason.CHANGED,
) -> Finding:
    _happened(session, *events)
    found = Finding(entry.address, entry.type, field, reason)
    report = with_who(session, record or manifest(GROUP, RULES, ROLE), Report((found,), 1, 0, 1), NOW)
    return report.findings[0]


def test_of_what_the_record_does_not_hold_nobody_is_asked_but_of_a_snapshot(session: Session) -> None:
    unrecorded = Entry(type="sns-topic", id="alarms-dev", phase=Phase.MADE, spec={})
    assert told(session, unrecorded, "*", event("DeleteTopic", topicArn="alarms-dev")).who is None
    snapshot = Entry(type="db-cluster-snapshot", id="db-cluster-dev-final-1", phase=Phase.KEPT, spec={})
    shared = event("ModifyDBClusterSnapshotAttribute", dBClusterSnapshotIdentifier=snapshot.id)
    who = told(session, snapshot, "restorable_by", shared, reason=Reason.KEPT).who
    assert who is not None
    assert who.event == "ModifyDBClusterSnapshotAttribute"


def test_the_newest_event_on_the_field_is_told_by_whichever_name_it_is_found(session: Session) -> None:
    found = told(
        session,
        RULES,
        "rules",
        event("RevokeSecurityGroupIngress", "2031-05-06T07:40:00Z", groupName="db-sg-dev"),
        event("AuthorizeSecurityGroupIngress", "2031-05-06T07:50:00Z", groupId="sg-1"),
        event("AuthorizeSecurityGroupIngress", "2031-05-06T07:55:00Z", groupId="sg-2"),
        event("CreateTags", "2031-05-06T07:56:00Z", groupId="sg-1"),
    )
    assert found.who == Who(
        "user/alice",
        "2031-05-06T07:50:00Z",
        "cli",
        "AuthorizeSecurityGroupIngress",
        "e-2031-05-06T07:50:00Z",
    )
    assert found.cause == "person"


TOPIC = Entry(type="sns-topic", id="alarms-dev", phase=Phase.MADE, spec={}, outputs={"arn": "arn:x:alarms-dev"})


def test_what_aws_may_have_removed_by_itself_is_told_as_that(session: Session) -> None:
    id_ = "alarms-dev/email:oncall@example.com"
    entry = Entry(type="sns-subscription", id=id_, phase=Phase.MADE, spec={}, outputs={"topic_arn": "arn:x:alarms-dev"})
    gone = told(session, entry, "*", record=manifest(entry), reason=Reason.ABSENT).who
    assert gone is not None
    assert gone.note.startswith(
        "SNS drops by itself, without an event, what its receiver has not confirmed for 48 hours; or "
    )
    changed = told(session, entry, "filter_policy", record=manifest(entry)).who
    assert changed is not None
    assert "SNS drops" not in changed.note


PARAMETERS = Entry(type="db-parameter-group", id="db-instance-params-pg16-dev", phase=Phase.MADE, spec={})


@pytest.mark.parametrize(
    ("entry", "field", "mine", "other"),
    [
        (TOPIC, "policy.statements", {"attributeName": "Policy"}, {"attributeName": "DisplayName"}),
        (TOPIC, "display_name", {"attributeName": "DisplayName"}, {"attributeName": "Policy"}),
        (TOPIC, "tags.Team", {"tags": [{"key": "Team", "value": "m"}]}, {"tags": [{"key": "Floor", "value": "3"}]}),
        (TOPIC, "tags.Team", {"tags": {"Team": "m"}}, {"tags": {"Floor": "3"}}),
        (TOPIC, "tags.Team", {"tags": {"team": "as some events may write it"}}, {"tags": {"floor": "3"}}),
        (TOPIC, "tags.Team", {"tagKeys": ["Team", 3, ""]}, {"tagKeys": ["Floor", "Team.a"]}),
        (TOPIC, "tags.Team", {"other": "is not told"}, {"tags": {"Floor": "3"}}),
        (
            PARAMETERS,
            "parameters.a.b",
            {"parameters": [{"parameterName": "a.b"}]},
            {"parameters": [{"parameterName": "c"}]},
        ),
        (PARAMETERS, "parameters.a.b", {"resetAllParameters": True}, {"parameters": [{"parameterName": "c"}]}),
    ],
)
def test_who_changed_another_attribute_or_tag_is_not_named(
    session: Session, entry: Entry, field: str, mine: dict[str, Any], other: dict[str, Any]
) -> None:
    name = "TagResource" if field.startswith("tags") else "SetTopicAttributes"
    id_ = {"resourceArn": "arn:x:alarms-dev"}
    if entry is PARAMETERS:
        name, id_ = "ModifyDBParameterGroup", {"dBParameterGroupName": entry.id}
    first = event(name, "2031-05-06T07:40:00Z", **id_, **mine) | {"userIdentity": {"type": "IAMUser", "userName": "m"}}
    later = event(name, "2031-05-06T07:50:00Z", **id_, **other)
    found = told(session, entry, field, later, first, record=manifest(TOPIC, PARAMETERS))
    assert found.who is not None
    assert found.who.principal == "user/m"


def test_what_is_older_than_the_record_made_no_difference_to_it(session: Session) -> None:
    old = event("AuthorizeSecurityGroupIngress", "2031-05-06T07:00:00Z", groupId="sg-1")
    late = "not delivered yet: CloudTrail takes up to 15 minutes; or older than the record"
    assert told(session, RULES, "rules", old).who == Who(note=late)


SOON = "2031-05-06T07:12:00Z"
"""After the record was written by no more than a clock may be off."""
CLAIMED = "its user agent, the caller's own word, names the run of user/team/alice that wrote the record"
THE_RUN = "the run that wrote the record"
ANOTHER = "by its user agent a run of tapctl that is not the record's last"


@pytest.mark.parametrize(
    ("run", "phase", "call", "said"),
    [
        ("run-0001", Phase.MAKING, (LATER, "alice"), ("unfinished", THE_RUN)),
        ("run-0001", Phase.MADE, (SOON, "alice"), ("", None)),
        ("run-0001", Phase.MADE, ("some day", "alice"), ("", None)),
        # Who writes the run's id into his user agent is named all the same.
        ("run-0001", Phase.MADE, (LATER, "alice"), ("person", CLAIMED)),
        ("run-0001", Phase.MADE, (SOON, "mallory"), ("person", CLAIMED)),
        ("run-0001", Phase.MAKING, (SOON, "mallory"), ("person", CLAIMED)),
        ("run-1-and-more", Phase.MADE, (LATER, "alice"), ("person", ANOTHER)),
        ("run-1-and-more", Phase.MAKING, (LATER, "alice"), ("person", ANOTHER)),
    ],
)
def test_a_run_of_ours_is_told_as_one_but_for_what_it_has_recorded(
    session: Session, run: str, phase: Phase, call: tuple[str, str], said: tuple[str, str | None]
) -> None:
    (at, by), (cause, note) = call, said
    rules = RULES.model_copy(update={"phase": phase})
    record = manifest(GROUP, rules, run="run-0001").model_copy(update={"written_by": "user/team/alice"})
    change = event("RevokeSecurityGroupIngress", at, f"Boto3/1.4 tapctl/0.1.0 run/{run}", groupId="sg-1")
    change["userIdentity"] = {"type": "IAMUser", "userName": by}
    found = told(session, rules, "rules", change, record=record)
    assert found.who is not None
    assert found.cause == cause
    if note is None:
        assert (found.who.principal, found.who.run) == ("", "")
    else:
        assert (found.who.principal, found.who.run, found.who.note) == (f"user/{by}", run, note)


def test_a_service_of_aws_is_a_cause_of_its_own(session: Session) -> None:
    change = event("RevokeSecurityGroupEgress", groupId="sg-1")
    assert told(session, RULES, "rules", change | {"sourceIPAddress": "cloudformation.amazonaws.com"}).cause == "aws"
    claimed = event("RevokeSecurityGroupEgress", agent="cloudformation.amazonaws.com", groupId="sg-1")
    assert told(session, RULES, "rules", claimed).cause == "person"


def test_a_global_service_is_asked_at_home_by_the_fleet_s_client_where_there_is_one(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = ClientPool({}, 1)
    session.invocation = Invocation("drift", pool=pool)
    opened: list[Connection] = []

    def client(connection: Connection, account: str) -> Aws:
        opened.append(connection)
        assert account == ACCOUNT
        return session.aws

    monkeypatch.setattr(pool, "client", client)
    told(session, ROLE, "description", event("UpdateRole", roleName="lambda-role-dev"))
    assert [each.region for each in opened] == ["us-east-1"]


def test_a_change_without_an_event_and_what_nobody_changed_are_not_looked_for(session: Session) -> None:
    assert told(session, RULES, "vpc_id").who == Who(note="CloudTrail writes no event of such a change")
    assert told(session, RULES, "rules", reason=Reason.DENIED).who is None


def noise(count: int, name: str = "CreateTags", at: str = LATER, **request: str) -> list[dict[str, Any]]:
    """Calls of somebody who needs no right to make them: refused."""
    refused = event(name, at, **request) | {"errorCode": "AccessDenied"}
    return [refused] * count


def test_events_behind_more_than_are_read_are_neither_late_nor_old(session: Session) -> None:
    change = event("RevokeSecurityGroupIngress", "2031-05-06T07:10:00Z", groupId="sg-1")
    there = told(session, RULES, "rules", *noise(999, groupId="sg-1"), change)
    assert there.who is not None
    assert (there.who.principal, there.who.note) == ("user/alice", "")
    names = ("AuthorizeSecurityGroupIngress", "RevokeSecurityGroupIngress")
    many = [one for name in names for one in noise(1_000, name, groupId="sg-1")]
    hidden = told(session, RULES, "rules", *noise(1_000, groupId="sg-1"), *many, change)
    assert hidden.who == Who(
        note=f"no more than the newest 1,000 events were read of each name, back to {LATER}; "
        "or not delivered yet: CloudTrail takes up to 15 minutes"
    )


def test_an_event_that_is_older_than_what_was_left_unread_may_not_be_the_last(session: Session) -> None:
    older = event("CreateTags", "2031-05-06T07:20:00Z", resourcesSet="db-sg-dev")
    found = told(session, GROUP, "tags.Owner", *noise(1_001, groupId="sg-1"), older)
    assert found.who is not None
    assert found.who.principal == "user/alice"
    assert found.who.note == (
        f"there may be a later one: no more than the newest 1,000 events were read of each name, back to {LATER}"
    )


def test_a_record_without_a_time_explains_nothing(session: Session) -> None:
    record = manifest(GROUP, RULES).model_copy(update={"written_at": "some day"})
    found = told(session, RULES, "rules", record=record)
    assert found.who is not None
    assert found.who.note.endswith("; or older than 90 days")


def test_a_record_that_says_it_was_written_later_than_now_is_told_as_that(session: Session) -> None:
    record = manifest(GROUP, RULES).model_copy(update={"written_at": "2099-01-01T00:00:00Z"})
    change = event("RevokeSecurityGroupIngress", groupId="sg-1")
    found = told(session, RULES, "rules", change, record=record)
    note = "the record's own time is yet to come (2099-01-01T00:00:00Z): nothing can be younger"
    assert found.who == Who(note=note)


def test_the_record_alone_knows_what_is_unfinished_what_aws_gave_up_and_what_is_its_own_fault() -> None:
    causes = {
        Reason.UNCONFIRMED: "unfinished",
        Reason.GAVE_UP: "aws",
        Reason.NOT_RECORDED: "input",
        Reason.UNKNOWN_FORM: "input",
        Reason.WRONG_PHASE: "input",
        Reason.CHANGED: "",
    }
    found = tuple(Finding("a/b", "a", "f", reason) for reason in causes)
    assert [one.cause for one in with_causes(Report(found, 2, 0, 1)).findings] == [*causes.values()]


@pytest.mark.parametrize("there", [True, False])
def test_who_changed_a_prefix_list_is_found_by_the_list_and_not_by_the_group_that_names_it(
    session: Session, *, there: bool
) -> None:
    _happened(
        session,
        event("ModifyManagedPrefixList", "2031-05-06T07:40:00Z", PrefixListId="pl-1"),
        event("ModifyManagedPrefixList", "2031-05-06T07:50:00Z", PrefixListId="pl-2"),
    )
    item = "pl-1 holds 0.0.0.0/0"
    recorded, live = (None, item) if there else (item, None)
    found = Finding(RULES.address, RULES.type, "open_lists", Reason.CHANGED, recorded=recorded, live=live)
    (told,) = with_who(session, manifest(GROUP, RULES), Report((found,), 1, 0, 1), NOW).findings
    assert told.who is not None
    assert (told.who.event, told.who.at) == ("ModifyManagedPrefixList", "2031-05-06T07:40:00Z")


def test_who_wrote_into_the_record_is_nothing_that_cloudtrail_knows(session: Session) -> None:
    assert told(session, RULES, "phase", reason=Reason.WRONG_PHASE).who is None


@pytest.mark.parametrize("type_", sorted(registry()))
def test_each_type_declares_its_events_beside_its_fields(type_: str) -> None:
    reconciler = registry()[type_]
    assert reconciler.trail.source
    assert reconciler.trail.fields.keys() <= {*reconciler.spec.model_fields, "status"}
    assert all(reconciler.trail.fields.values())
    changed_in_place = reconciler.spec.model_fields.keys() - reconciler.impacts.keys()
    untold = {field for field in changed_in_place if not [*reconciler.trail.events(field)]}
    assert untold <= {"vpc_id"}
