"""A waiver is about something that tapctl manages, and opens no door."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.policy import parse
from tapctl.config import load
from tapctl.config.waivers import MAX_WAIVERS, path_of
from tapctl.engine.refs import needs
from tapctl.engine.waiver import live_text
from tapctl.errors import ConfigError
from tapctl.reconcilers import registry
from tapctl.render.severity import kind_of
from tapctl.stack.definition import planned_stack
from tapctl.stack.waivers import _MEMBERS, _WAYS_IN, any_value_is_harmless, opens, waivers_of
from tests.support.config_folder import ENVIRONMENTS

TODAY = date(2026, 11, 28)


def told(folder: Path, address: str, field: str, live: str = "", environment: str = "dev") -> list[tuple[str, str]]:
    """The problems of one waiver, by key; none where it is taken."""
    more = f"live = {live}\n" if live else ""
    path_of(folder).write_text(
        f'[[waiver]]\nenvironment = "{environment}"\naddress = "{address}"\nfield = "{field}"\n'
        f'owner = "dana"\nreason = "the platform"\nuntil = 2026-12-31\n{more}'
    )
    try:
        waivers_of(folder, "dev", ("dev", "prod"), TODAY)
    except ConfigError as refused:
        return [(one.key.removeprefix("waiver.0."), one.rule) for one in refused.problems]
    return []


@pytest.mark.parametrize(
    ("address", "field", "live"),
    [
        ("lambda-function/*", "tags.aws-backup:*", ""),
        ("*", "tags.map-migrated", ""),
        ("iam-role/lambda-role-dev", "permissions_boundary", ""),
        ("db-cluster/db-cluster-dev", "members", '"db-instance/bi-reader"'),
        ("lambda-function/f", "mem*", ""),
        ("lambda-function/f", "timeo*", ""),
        ("security-group-rules/db-sg-dev", "rules", '"ingress 10.9.0.0/16 tcp/5432"'),
        # One of ours that somebody took away opens nothing.
        ("security-group-rules/lambda-sg-dev", "rules", '"- egress 0.0.0.0/0 tcp/443"'),
        ("log-group/*", "subscriptions", '"arn:x by siem"'),
        ("log-group/*", "retention_days", "400"),
        # Nothing is there: no value that opens anything.
        ("log-group/*", "kms_key_arn", '""'),
        ("lambda-function/f", "environment.TRACE", '""'),
        ("log-group/*", "*_days", ""),
        ("db-cluster/*", "*_window", ""),
        # Nothing of a set has a path of its own: a warning tells that it matches nothing.
        ("security-group-rules/g", "rules.x", ""),
    ],
)
def test_a_difference_of_the_platform_may_be_waived(tmp_path: Path, address: str, field: str, live: str) -> None:
    assert told(tmp_path, address, field, live) == []


@pytest.mark.parametrize(
    ("raw", "opens_door"),
    [
        ({"Effect": "Allow", "NotPrincipal": {"AWS": "999999999999"}, "Action": "sns:Publish", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "*", "Resource": "*"}, True),
        ({"Effect": "Allow", "Action": "*:*", "Resource": "arn:aws:*:*:*:*"}, True),
        ({"Effect": "Allow", "Action": ["s3:*", "iam:*"], "Resource": "*"}, True),
        ({"Effect": "Allow", "Principal": {"Federated": "accounts.google.com"}, "Action": "sts:AssumeRole*"}, True),
        ({"Effect": "Deny", "NotAction": "iam:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "s3:*", "Resource": "*"}, False),
    ],
)
def test_a_statement_that_allows_all_but_what_it_names_is_an_open_door(
    raw: dict[str, Any], *, opens_door: bool
) -> None:
    document = parse({"Version": "2012-10-17", "Statement": [raw]})
    (statement,) = document.statements
    for live in (statement, document):
        assert opens(live_text(live)) is opens_door
        assert not opens(f"{live_text(live)}x"), "no such text is any live value's"


@pytest.mark.parametrize("part", ['"*"', "5", "[5]", "{}", "null", "[[]]"])
def test_a_text_that_is_like_a_statement_and_is_none_opens_nothing(part: str) -> None:
    assert not opens(f'{{"effect": "Allow", "actions": {part}, "resources": ["*"]}}')


def test_each_way_in_is_a_field_that_there_is() -> None:
    fields = {(name, field) for name, one in registry().items() for field in one.spec.model_fields}
    assert _WAYS_IN - {_MEMBERS} <= fields


def test_a_waiver_of_which_other_resource_is_used_names_that_one() -> None:
    stack = planned_stack(load(Path(ENVIRONMENTS), "dev"), "dev")
    ids = {resource.id for resource in stack}
    uses = {
        (resource.type, name)
        for resource in stack
        for name, value in resource.spec
        if needs(value) or (isinstance(value, str) and value in ids - {resource.id})
    }
    assert {("db-cluster", "subnet_group"), ("db-cluster", "kms_key_arn"), ("db-instance", "cluster")} <= uses
    assert {one for one in uses if any_value_is_harmless(one[1])} == set()


def test_another_value_of_each_way_in_is_severe() -> None:
    assert {(name, field) for name, field in _WAYS_IN if kind_of(name, field, "a", "b").severity != "high"} == set()


@pytest.mark.parametrize(
    ("waiver", "key", "rule"),
    [
        (("lambda/f", "timeout_s", ""), "address", "is no address"),
        (("lambda-function", "timeout_s", ""), "address", "is no address"),
        (("lambda-funktion/f", "timeout_s", ""), "address", "did you mean lambda-function?"),
        (("lambda-function/f", "timeout", ""), "field", "is no field of it; did you mean timeout_s?"),
        (("db-instance/i", "publicly_accessible", "true"), "field", "never waived: db-instance.publicly_accessible"),
        (("db-instance/i", "*", ""), "field", "is never waived"),
        (
            ("security-group/g", "vpc_id", '"vpc-1"'),
            "field",
            "another one, which is never waived: security-group.vpc_id",
        ),
        (
            ("db-cluster/c", "cluster_parameter_group", '"theirs"'),
            "field",
            "waived: db-cluster.cluster_parameter_group",
        ),
        (
            ("db-instance/i", "parameter_group", '"theirs"'),
            "field",
            "which is never waived: db-instance.parameter_group",
        ),
        (("db-instance/*", "*_group", ""), "field", "which is never waived: db-instance.parameter_group"),
        (("security-group-rules/g", "rules", ""), "live", "would cover an open door in security-group-rules.rules"),
        (("sns-topic/t", "policy", ""), "live", "would cover an open door"),
        (("kms-key/k", "grants", ""), "live", "would cover an open door"),
        (("db-cluster/c", "members", ""), "live", "would cover an open door in db-cluster.members"),
        (("*/x", "members", ""), "live", "would cover an open door in db-cluster.members"),
        (("db-cluster/c", "security_group_ids", ""), "live", "open door in db-cluster.security_group_ids"),
        (("db-cluster/c", "subnet_group", ""), "live", "open door in db-cluster.subnet_group"),
        (("lambda-function/f", "image_*", ""), "live", "would cover an open door in lambda-function.image_config"),
        (("lambda-function/f", "environment.DB_ENDPOINT", ""), "live", "open door in lambda-function.environment"),
        (("lambda-function/f", "environment.*", '"(hidden)"'), "live", "in place of a value that is not told"),
        (("lambda-function/f", "environment.*", '"((hidden))"'), "live", "in place of a value that is not told"),
        (
            ("lambda-function/f", "image_config", '"AWS does not tell it: x"'),
            "live",
            "in place of a value that is not told",
        ),
        *(
            (("db-cluster/c", field, '"AWS does not tell it: one without a name"'), "live", "a value that is not told")
            for field in ("directories", "activity_stream")
        ),
        (("lambda-function/f", "image_config", ""), "live", "would cover an open door in lambda-function.image_config"),
        (("lambda-function/f", "handler", ""), "live", "would cover an open door in lambda-function.handler"),
        (("lambda-function/f", "runtime", ""), "live", "would cover an open door in lambda-function.runtime"),
        (("sns-subscription/*", "redrive_policy", ""), "live", "open door in sns-subscription.redrive_policy"),
        (("lambda-function/f", "members", ""), "field", "is no field of it"),
        (("iam-role/*", "t*s", ""), "live", "would cover an open door in iam-role.trust"),
        (("*", "p*s", ""), "live", "would cover an open door in kms-key.policy"),
        (("*", "*.st*", ""), "live", "would cover an open door in iam-role.inline"),
        (("iam-role/*", "*boundary", ""), "live", "would cover an open door in iam-role.inline"),
        (("lambda-function/*", "r*s", ""), "live", "would cover an open door in lambda-function.resource_policy"),
        (("*s/db-key-dev", "policy*", ""), "live", "would cover an open door in kms-key.policy"),
        (("security-group-rules/g", "rules", '"ingress 0.0.0.0/0 tcp/5432"'), "live", "is an open door to the world"),
        (("security-group-rules/g", "rules", '"ingress ::/0 tcp/5432"'), "live", "is an open door"),
        (("security-group-rules/g", "rules", '"ingress 128.0.0.0/1 tcp/5432"'), "live", "is an open door"),
        (("security-group-rules/g", "rules", '"ingress  tcp/5432"'), "live", "is an open door"),
        (("sns-topic/t", "policy.statements", """'{"kind": "AWS", "name": "*"}'"""), "live", "is an open door"),
        (("sns-topic/t", "policy", """'{"Principal":"*"}'"""), "live", "is an open door"),
        (("db-cluster/c", "shared_snapshots", '"snap by all"'), "live", "is an open door"),
        (("lambda-function/f", "urls", '"https://x (NONE)"'), "live", "is an open door"),
    ],
)
def test_an_unknown_place_or_an_open_door_is_refused(
    tmp_path: Path, waiver: tuple[str, str, str], key: str, rule: str
) -> None:
    ((where, why),) = [one for one in told(tmp_path, *waiver) if one[0] == key]
    assert (where, rule in why) == (key, True), why


HALVES = ("ingress 8.0.0.0/8 tcp/5432", "ingress 9.0.0.0/8 all traffic")


def together(folder: Path, *waivers: tuple[str, str, str, str]) -> list[tuple[str, str]]:
    """The problems of these waivers of rules: environment, address, live, until."""
    path_of(folder).write_text(
        "".join(
            f'[[waiver]]\nenvironment = "{environment}"\naddress = "{address}"\nfield = "rules"\n'
            f'owner = "dana"\nreason = "the office"\nuntil = {until}\nlive = "{live}"\n'
            for environment, address, live, until in waivers
        )
    )
    try:
        waivers_of(folder, "dev", ("dev", "prod"), TODAY)
    except ConfigError as refused:
        return [(one.key, one.rule) for one in refused.problems]
    return []


@pytest.mark.parametrize("environment", ["dev", "*"])
@pytest.mark.parametrize("address", ["security-group-rules/db-sg-dev", "security-group-rules/*", "*-rules/*"])
def test_rules_that_open_the_world_together_are_waived_by_no_waivers(
    tmp_path: Path, environment: str, address: str
) -> None:
    one = ("dev", "security-group-rules/db-sg-dev", HALVES[0], "2026-12-31")
    other = (environment, address, HALVES[1], "2026-12-31")
    told = together(tmp_path, one, other)
    assert [key for key, _ in told] == ["waiver.0.live", "waiver.1.live"]
    assert {why for _, why in told} == {
        "opens 8.0.0.0/7 with the other waivers of that group: an open door, which is never waived"
    }
    assert together(tmp_path, one) == together(tmp_path, other) == []


@pytest.mark.parametrize(
    ("environment", "address", "until"),
    [
        ("prod", "security-group-rules/db-sg-dev", "2026-12-31"),
        ("dev", "security-group-rules/lambda-sg-dev", "2026-12-31"),
        ("dev", "security-group-rules/db-sg-dev", "2026-11-27"),
    ],
)
def test_rules_that_never_meet_are_waived_each(tmp_path: Path, environment: str, address: str, until: str) -> None:
    one = ("dev", "security-group-rules/db-sg-dev", HALVES[0], "2026-12-31")
    assert together(tmp_path, one, (environment, address, HALVES[1], until)) == []


def test_patterns_that_no_group_fits_both_of_meet_nowhere(tmp_path: Path) -> None:
    one = ("dev", "security-group-rules/db-*", HALVES[0], "2026-12-31")
    other = ("dev", "security-group-rules/lambda-*", HALVES[1], "2026-12-31")
    assert together(tmp_path, one, other) == []


def _public(at: int) -> str:
    """A rule for addresses that are the world with those of all others, at ports of which it shares some with them."""
    return f"ingress {11 + at % 200}.{at // 200 * 64}.0.0/15 tcp/{at}-{at + 20_000}"


@pytest.mark.soak
def test_as_many_public_rules_as_waivers_may_be_are_refused_at_once(tmp_path: Path) -> None:
    """Held together at each port anew they took a minute."""
    rules = [("dev", "security-group-rules/db-sg-dev", _public(at), "2026-12-31") for at in range(MAX_WAIVERS)]
    assert len(together(tmp_path, *rules)) == MAX_WAIVERS


@pytest.mark.parametrize("count", [60, pytest.param(MAX_WAIVERS, marks=pytest.mark.soak)])
def test_waivers_that_meet_in_many_groups_are_told_of_some_of_them_at_once(tmp_path: Path, count: int) -> None:
    """Each second one may be in the group of any other: told of all groups they took minutes."""
    groups = [f"x{at}" if at % 2 else "x*" for at in range(count)]
    halves = [f"ingress {8 + at // 2 % 2}.0.0.0/8 tcp/{at}-{at + 20_000}" for at in range(count)]
    rules = [
        ("dev", f"security-group-rules/{one}", half, "2026-12-31") for one, half in zip(groups, halves, strict=True)
    ]
    assert len(together(tmp_path, *rules)) >= count // 2


def test_of_more_groups_than_are_read_at_once_the_first_are_told(tmp_path: Path) -> None:
    rules = [
        ("dev", f"security-group-rules/x{at}", f"ingress {half}.0.0.0/8 tcp/22", "2026-12-31")
        for at in range(12)
        for half in (8, 9)
    ]
    assert {key for key, _ in together(tmp_path, *rules)} == {f"waiver.{at}.live" for at in range(16)}


def test_as_many_rules_as_waivers_may_be_of_one_group_are_held_together_at_once(tmp_path: Path) -> None:
    """Each has ports of its own, which share some with all others; looked at one by one they took minutes."""
    group, many = "security-group-rules/db-sg-dev", range(MAX_WAIVERS)
    rules = [
        ("dev", group, f"ingress 10.{at % 250}.{at // 250}.0/24 tcp/{at}-{at + 1000}", "2026-12-31") for at in many
    ]
    assert together(tmp_path, *rules) == []


def test_an_environment_has_its_own_waivers_and_those_of_all(tmp_path: Path) -> None:
    assert told(tmp_path, "log-group/*", "retention_days", "400", environment="*") == []
    (one,) = waivers_of(tmp_path, "prod", ("dev", "prod"), TODAY)
    assert (one.live, one.until, one.covers("log-group/x", "retention_days", 400)) == ("400", "2026-12-31", True)
    assert told(tmp_path, "log-group/*", "retention_days", environment="prod") == []
    assert waivers_of(tmp_path, "dev", ("dev", "prod"), TODAY) == ()


def test_a_waiver_of_what_is_not_there_covers_nothing_that_comes_there_later(tmp_path: Path) -> None:
    assert told(tmp_path, "log-group/*", "kms_key_arn", '""') == []
    (one,) = waivers_of(tmp_path, "dev", ("dev", "prod"), TODAY)
    covered = [live for live in ("", "arn:aws:kms:x:1:key/2") if one.covers("log-group/a", "kms_key_arn", live)]
    assert covered == [""]
