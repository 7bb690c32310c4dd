"""A look between two readings of the record: what moved meanwhile is looked at once more, and is nobody's drift."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.config import load
from tapctl.engine.drift import Finding, FindingState, Reason, detect_drift
from tapctl.engine.model import Observed
from tapctl.engine.record import Entry, Phase
from tapctl.evidence.concurrent_run import NOTHING, Meanwhile, Stored, look_between_readings, with_run
from tapctl.manifest import open_store
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers.log_group import LogGroup
from tapctl.reconcilers.security_group_rule import Rule
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.manifest.examples import SAM, entry, manifest
from tests.support.config_folder import ENVIRONMENTS

KEY = "kms-key/alias/db-key-dev"
LOGS = {
    "retention_days": 30,
    "kms_key_arn": "",
    "log_class": "STANDARD",
    "deletion_protection": False,
    "tags": {},
}


def of(serial: int) -> Manifest:
    return manifest(entry(rotation=serial), serial=serial, run="run")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    aws = Aws(Connection("us-east-2"))
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:root")
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    target = Target("dev", "dev", account="123456789012", region="us-east-2")
    store = open_store(str(tmp_path), None)
    store.write(of(1), None)
    return Session(Invocation("drift"), screen, load(ENVIRONMENTS, "dev"), target, aws, store)


def looked(session: Session, differs: Callable[[int], bool], *, writes: int) -> tuple[list[int], Stored, Meanwhile]:
    """The serials that were looked at while the record is written, and what is told of the run."""
    seen: list[int] = []

    def look(stored: Stored) -> int:
        seen.append(stored[0].serial)
        if len(seen) <= writes:
            session.store.write(of(len(seen) + 1), session.load_manifest()[1])
        return stored[0].serial

    stored, _, meanwhile = look_between_readings(session, session.load_manifest(), look, differs)
    return seen, stored, meanwhile


@pytest.mark.parametrize(
    ("writes", "differs", "seen", "meanwhile"),
    [
        (1, lambda _: False, [1], NOTHING),  # nothing is read again
        (0, lambda _: True, [1], Meanwhile()),
        (1, lambda serial: serial == 1, [1, 2], NOTHING),
        (1, lambda _: True, [1, 2], Meanwhile()),  # a difference in a record that stands
        (2, lambda _: True, [1, 2], Meanwhile(written=frozenset({KEY}), made={KEY: entry(rotation=3)})),
    ],
)
def test_a_record_that_moved_during_a_look_that_found_something_is_looked_at_once_more(
    session: Session, writes: int, differs: Callable[[int], bool], seen: list[int], meanwhile: Meanwhile
) -> None:
    looks, stored, told = looked(session, differs, writes=writes)
    assert (looks, told) == (seen, meanwhile)
    assert stored[0].serial == seen[-1]


def test_a_run_that_began_during_the_look_is_told(session: Session) -> None:
    with session.store.lock("dev", SAM):
        assert str(SAM) in looked(session, lambda _: True, writes=0)[2].run


def test_what_was_written_meanwhile_is_pending_and_all_else_is_what_it_is() -> None:
    def finding(address: str, reason: Reason, live: str = "x") -> Finding:
        return Finding(address, address.partition("/")[0], "tags", reason, live=live)

    findings = [
        finding(KEY, Reason.CHANGED),
        finding(KEY, Reason.DENIED),
        finding(KEY, Reason.UNCONFIRMED),
        finding("db-cluster/c", Reason.NOT_OURS, "db-instance/c-0"),
        finding("db-cluster/c", Reason.NOT_OURS, "db-instance/theirs"),
        finding("log-group/l", Reason.CHANGED),
    ]
    told = [one.reason for one in with_run(findings, Meanwhile(written=frozenset({KEY, "db-instance/c-0"})))]
    under_way, not_ours = Reason.UNDER_WAY, Reason.NOT_OURS
    assert told == [under_way, Reason.DENIED, Reason.UNCONFIRMED, under_way, not_ours, Reason.CHANGED]
    assert finding(KEY, under_way).state is FindingState.PENDING


def test_what_a_run_has_made_meanwhile_explains_what_is_as_it_has_recorded_it_and_no_more() -> None:
    retention = LogGroup.spec.model_validate({**LOGS, "retention_days": 90, "tags": {"Owner": "dana"}})
    place = "log-group/l"
    since = Entry(type="log-group", id="l", phase=Phase.MADE, spec={**LOGS, "retention_days": 90}, outputs={})
    found = [
        Finding(place, "log-group", "retention_days", Reason.CHANGED, 30, 90),
        Finding(place, "log-group", "tags.Owner", Reason.CHANGED, None, "dana"),
        Finding(place, "log-group", "retention_days", Reason.NEVER_WANTED, 30, 90),
    ]
    meanwhile = Meanwhile(written=frozenset({place}), made={place: since})
    left = detect_drift({place: since}, {place: Observed(retention, None)}).findings
    told = [one.reason for one in with_run(found, meanwhile, left)]
    assert told == [Reason.UNDER_WAY, Reason.CHANGED, Reason.NEVER_WANTED]


def test_a_run_opens_what_the_entry_that_is_half_made_tells_and_no_more() -> None:
    """An attacker who writes an entry anew while others look has opened whatever is open."""
    place = "security-group-rules/db-sg-dev"
    told, asked, world = (
        Rule(direction="ingress", protocol="tcp", from_port=5432, to_port=5432, peer=peer)
        for peer in ("sg-1", "sg-2", "0.0.0.0/0")
    )
    spec, confirmed = ({"rules": [rule.model_dump()]} for rule in (asked, told))
    half = Entry(type="security-group-rules", id="db-sg-dev", phase=Phase.MAKING, spec=spec, confirmed=confirmed)
    found = [
        *(Finding(place, half.type, "rules", Reason.CHANGED, live=rule) for rule in (told, asked, world)),
        Finding(place, half.type, "rules", Reason.CHANGED, recorded=told),
        Finding(place, half.type, "rules", Reason.NEVER_WANTED, live="open to the world"),
    ]
    meanwhile = Meanwhile(written=frozenset({place}), half_made={place: (half, half)})
    changes = [one.reason for one in with_run(found, meanwhile)]
    under_way = Reason.UNDER_WAY
    assert changes == [under_way, under_way, Reason.CHANGED, under_way, Reason.NEVER_WANTED]


@pytest.mark.parametrize(
    ("change", "written"),
    [({"kept_why": "x"}, False), ({"phase": Phase.MAKING}, True), ({"spec": {"rotation": 9}}, True), (None, True)],
)
def test_who_writes_what_no_run_writes_has_begun_nothing(
    session: Session, change: dict[str, Any] | None, written: bool
) -> None:
    """A run has an intent on record, and what it has made after that."""
    records = [of(1), of(1), of(2).model_copy(update={"entries": {}})]
    if change is not None:
        records[2] = of(1).model_copy(update={"entries": {KEY: entry(rotation=1).model_copy(update=change)}})
    serials = iter((2, 3))

    def look(_: Stored) -> int:
        serial = next(serials)
        record = records[serial - 1].model_copy(update={"serial": serial})
        session.store.write(record, session.load_manifest()[1])
        return serial

    *_, told = look_between_readings(session, session.load_manifest(), look, lambda _: True)
    assert told.written == (frozenset({KEY}) if written else frozenset())
