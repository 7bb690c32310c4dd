"""What an apply asks AWS of the additions before it makes anything."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import AwsRefused, ConfigError
from tapctl.manifest import open_store
from tapctl.planning.lookup import check_additions
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.reconcilers.scripted import refuse
from tests.support.additions import BOUNDARY
from tests.support.config_folder import Folder


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: Aws, said: io.StringIO) -> Session:
    folder = Folder(tmp_path / "environments").put("common", "organisation.permissions_boundary", BOUNDARY)
    folder.put("common", "database.cluster_parameters", {"log_lock_wait": "1", "log_lock_waits": "1"})
    folder.put("common", "database.instance_parameters", {"server_version": "1"})
    monkeypatch.chdir(tmp_path)
    screen = choose_screen(io.StringIO(), said, {"TERM": "dumb"})
    store = open_store(str(tmp_path / "manifests"), None)
    return Session(Invocation("plan"), screen, folder.load()["dev"], Target("dev", "dev"), aws, store)


def test_all_that_aws_does_not_know_is_told_at_once(session: Session, aws: Aws) -> None:
    with pytest.raises(ConfigError) as refused:
        check_additions(session)
    assert {each.key: each.rule for each in refused.value.problems} == {
        "organisation.permissions_boundary": f"there is no policy arn:aws:iam::{aws.account}:policy/payments-boundary: "
        "make it, or correct the key",
        "database.cluster_parameters.log_lock_wait": "is no parameter of aurora-postgresql16; "
        "did you mean log_lock_waits?",
        "database.instance_parameters.server_version": "is a parameter of aurora-postgresql16 that RDS lets nobody set",
    }


def test_what_may_not_be_asked_is_said_and_stops_nothing(session: Session, aws: Aws, said: io.StringIO) -> None:
    with (
        refuse(aws.iam, "GetPolicy", "AccessDenied"),
        refuse(aws.rds, "DescribeEngineDefaultClusterParameters", "AccessDenied"),
        refuse(aws.rds, "DescribeEngineDefaultParameters", "AccessDenied"),
    ):
        check_additions(session)
    assert [line.rpartition(": ")[2] for line in said.getvalue().splitlines()] == [
        "iam:GetPolicy denied",
        "rds:DescribeEngineDefaultClusterParameters denied",
        "rds:DescribeEngineDefaultParameters denied",
    ]
    with refuse(aws.iam, "GetPolicy", "ValidationError"), pytest.raises(AwsRefused):
        check_additions(session)
