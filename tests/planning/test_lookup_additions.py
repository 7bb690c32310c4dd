"""What an apply asks AWS of the additions before it makes anything."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.config.schema import Egress
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


def listed(aws: Aws, *blocks: str) -> str:
    """A prefix list that holds these blocks."""
    entries: Any = [{"Cidr": block} for block in blocks]
    made = aws.ec2.create_managed_prefix_list(
        PrefixListName="partners", MaxEntries=9, AddressFamily="IPv4", Entries=entries
    )
    return made["PrefixList"]["PrefixListId"]


def naming(session: Session, *lists: str) -> Session:
    """The same, of files that name these lists as the peers of rules, and nothing else of AWS."""
    egress = tuple(Egress(port=8443 + at, to=each, why="partners") for at, each in enumerate(lists))
    config = session.config.model_copy(
        update={
            "organisation": session.config.organisation.model_copy(update={"permissions_boundary": None}),
            "database": session.config.database.model_copy(
                update={"cluster_parameters": {}, "instance_parameters": {}}
            ),
            "processor": session.config.processor.model_copy(update={"egress": egress}),
        }
    )
    return replace(session, loaded=config)


def test_a_prefix_list_that_holds_the_world_with_another_rule_of_the_port_is_refused(
    session: Session, aws: Aws
) -> None:
    half = naming(session, listed(aws, "8.0.0.0/8"))
    (rule,) = half.config.processor.egress
    processor = half.config.processor.model_copy(update={"egress": (rule, rule.model_copy(update={"to": "9.0.0.0/8"}))})
    both = replace(half, loaded=half.config.model_copy(update={"processor": processor}))
    check_additions(half)
    with pytest.raises(ConfigError) as refused:
        check_additions(both)
    ((key, told),) = [(one.key, one.rule) for one in refused.value.problems]
    assert (key, told.partition(",")[0]) == ("processor.egress.0.to", "holds a part of 8.0.0.0/7")


def test_a_prefix_list_that_holds_the_world_is_refused_wherever_a_rule_names_it(session: Session, aws: Aws) -> None:
    wide, narrow = listed(aws, "0.0.0.0/1", "128.0.0.0/1"), listed(aws, "10.20.0.0/16")
    with pytest.raises(ConfigError) as refused:
        check_additions(naming(session, narrow, wide, wide))
    rule = (
        'holds 0.0.0.0/0: the whole internet, which no list stands for; to = "0.0.0.0/0" says so, for HTTPS '
        "(port 443) alone"
    )
    assert [(each.key, each.value, each.rule) for each in refused.value.problems] == [
        (f"processor.egress.{at}.to", wide, rule) for at in (1, 2)
    ]
    check_additions(naming(session, narrow))


def test_what_a_prefix_list_holds_is_asked_once_a_list_and_may_stay_unknown(
    session: Session, aws: Aws, said: io.StringIO
) -> None:
    wide = listed(aws, "0.0.0.0/0")
    with refuse(aws.ec2, "GetManagedPrefixListEntries", "UnauthorizedOperation"):
        check_additions(naming(session, wide, wide))
    assert said.getvalue().count(f"what {wide} holds could not be asked: ec2:GetManagedPrefixListEntries denied") == 1
    check_additions(naming(session, "pl-0123456789abcdef0"))
    with refuse(aws.ec2, "GetManagedPrefixListEntries", "InternalFailure"), pytest.raises(AwsRefused):
        check_additions(naming(session, wide))


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
