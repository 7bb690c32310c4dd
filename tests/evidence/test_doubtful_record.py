"""A record older than AWS is told by its history, or by a cluster that was made after it."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.config import load
from tapctl.engine.model import Observed
from tapctl.engine.observe import Absent, Observation
from tapctl.engine.record import Entry, Phase
from tapctl.evidence.doubtful_record import Doubt, warn_of_doubtful_record
from tapctl.manifest import open_store
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.engine.kinds import SMALL, ThingOutputs
from tests.manifest.examples import manifest
from tests.support.config_folder import ENVIRONMENTS

RECORD = manifest(serial=2, run="run-2")
MADE = datetime(2031, 5, 6, 9, 0, 0, tzinfo=UTC)


@pytest.fixture
def err() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, err: io.StringIO) -> Session:
    aws = Aws(Connection("us-east-2"))
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:root")
    screen = choose_screen(io.StringIO(), err, {"TERM": "dumb"})
    target = Target("dev", "dev", account="123456789012", region="us-east-2")
    store = open_store(str(tmp_path), None)
    return Session(Invocation("drift"), screen, load(ENVIRONMENTS, "dev"), target, aws, store)


def live(session: Session, **more: Any) -> Observed[Any, Any]:
    return replace(Observed(SMALL, None, owner=session.owner), **more)


def test_a_history_with_later_versions_tells_it(session: Session, err: io.StringIO) -> None:
    store, at = session.store, None
    for each in (RECORD, manifest(serial=7, run="run-7"), manifest(serial=8, run="run-8")):
        at = store.write(each, at)
    assert not warn_of_doubtful_record(session, RECORD, {}, ""), "a run has carried it on since it was read"
    store.write(RECORD, at)
    assert warn_of_doubtful_record(session, RECORD, {}, "").evidence.startswith(
        "its history has serial 8, written at 2031-05-06"
    )
    assert "has serial 2, written at 2031-05-06T07:08:09Z by dana" in err.getvalue()
    assert "tapctl manifest history --env dev" in err.getvalue()


def test_a_cluster_of_ours_made_later_tells_it(session: Session) -> None:
    observed = {"db-cluster/c": live(session, holds_data_since=MADE)}
    assert warn_of_doubtful_record(session, RECORD, observed, "") == Doubt(
        "AWS has made db-cluster/c at 2031-05-06T09:00:00Z"
    )


def test_where_files_that_cannot_be_used_are_the_newest_nobody_can_tell(
    session: Session, tmp_path: Path, err: io.StringIO
) -> None:
    session.store.write(RECORD, None)
    (tmp_path / "history" / "dev").mkdir(parents=True)
    (tmp_path / "history" / "dev" / "00000009-x.json").write_text("{")
    age = warn_of_doubtful_record(session, RECORD, {}, "")
    assert (str(age), age.evidence.endswith(" cannot be used: 00000009-x.json")) == ("may be older than AWS", True)
    assert "the record may be older than AWS" in err.getvalue()
    assert "move away what no run of yours has written" in err.getvalue()
    # What AWS tells is told all the same.
    assert warn_of_doubtful_record(
        session, RECORD, {"db-cluster/c": live(session, holds_data_since=MADE)}, ""
    ).judgement


def test_nothing_else_tells_it(session: Session, err: io.StringIO) -> None:
    before = datetime(2031, 5, 6, 7, 0, 0, tzinfo=UTC)
    observed: dict[str, Observation] = {
        "db-cluster/a": live(session, holds_data_since=before),
        "db-cluster/b": live(session, holds_data_since=MADE, owner=None),
        "db-cluster/c": live(session),
        "db-cluster/d": Absent(),
        "db-cluster/e": live(session, holds_data_since=MADE),
        "db-cluster/f": live(session, holds_data_since=MADE, outputs=ThingOutputs(arn="arn:f")),
    }
    session.store.write(RECORD, None)
    half = Entry(type="db-cluster", id="e", phase=Phase.MAKING, spec={})
    # The clock of who made it was behind: what the record holds was there before it was written.
    made = Entry(type="db-cluster", id="f", phase=Phase.MADE, spec={}, outputs={"arn": "arn:f"})
    record = RECORD.model_copy(update={"entries": {each.address: each for each in (half, made)}})
    assert warn_of_doubtful_record(session, record, observed, "") == Doubt()
    assert err.getvalue() == ""
    for outputs in ({"arn": "arn:other"}, {}):
        other = {made.address: made.model_copy(update={"outputs": outputs}), half.address: half}
        assert warn_of_doubtful_record(session, record.model_copy(update={"entries": other}), observed, "")
