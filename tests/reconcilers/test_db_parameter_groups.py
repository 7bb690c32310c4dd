"""Both kinds of parameter groups: what is said here of one holds for the other."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.model import REBOOT
from tapctl.errors import AlreadyExists, AwsRefused, NotYet, Patience
from tapctl.reconcilers.db_parameter_groups import ParameterGroups, ParameterGroupSpec
from tapctl.sandbox.emulator.rds.catalog import DEFAULTS
from tests.reconcilers.cases import db_cluster, db_cluster_parameter_group, db_instance, db_parameter_group
from tests.reconcilers.driving import OURS, TAGS, bring, calls, delete_until_gone, look
from tests.reconcilers.scripted import DENIED, answer, refuse

ID = "params-test"
SET = {"rds.force_ssl": "1", "shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.track": "all"}
WANT = ParameterGroupSpec(family="aurora-postgresql16", description="d", parameters=SET, tags={**TAGS, "Name": ID})


@pytest.fixture(params=[db_cluster_parameter_group, db_parameter_group], ids=["cluster", "instance"])
def case(request: pytest.FixtureRequest) -> ModuleType:
    found: ModuleType = request.param
    return found


@pytest.fixture
def rec(case: ModuleType) -> ParameterGroups:
    found: ParameterGroups = case.RECONCILER
    return found


def operation(rec: ParameterGroups, words: str) -> str:
    """RDS's name of an operation of this kind."""
    return words.replace("*", "DBCluster" if rec.arn_kind == "cluster-pg" else "DB")


def with_(parameters: dict[str, str]) -> ParameterGroupSpec:
    return WANT.model_copy(update={"parameters": parameters})


def test_it_is_seen_in_four_calls_and_told_by_its_arn(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, WANT)
    before = calls(aws)
    seen = look(rec, aws, ID, WANT)
    assert calls(aws) - before == 4
    assert (seen.spec, seen.owner, seen.settled) == (WANT, OURS, True)
    assert seen.outputs is not None
    assert seen.outputs.arn == f"arn:aws:rds:us-east-1:123456789012:{rec.arn_kind}:{ID}"


def test_a_value_that_is_the_engines_default_counts_as_set_where_it_is_wanted(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, WANT)
    assert look(rec, aws, ID, WANT).spec.parameters["shared_preload_libraries"] == "pg_stat_statements"
    assert "shared_preload_libraries" not in look(rec, aws, ID).spec.parameters


def test_what_shows_the_engines_default_is_nobodys(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, WANT)
    wished = look(rec, aws, ID, with_({**SET, "max_connections": "300"}))
    assert wished.spec.parameters["max_connections"] == DEFAULTS["max_connections"].value
    assert wished.defaults == {"parameters.max_connections", "parameters.shared_preload_libraries"}
    rec.update(aws, ID, WANT, with_({**SET, "max_connections": "9"}))
    assert "parameters.max_connections" not in look(rec, aws, ID, WANT).defaults


def test_what_somebody_set_shows_and_is_reset(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, WANT)
    foreign = {**SET, "log_connections": "1", "max_connections": "9"}
    rec.update(aws, ID, WANT, with_(foreign))
    seen = look(rec, aws, ID, WANT)
    assert seen.spec.parameters == foreign
    # Whatever becomes of the static ones is in force only after a reboot.
    static = {f"parameters.{name}" for name in ("max_connections", "shared_preload_libraries")}
    assert dict(seen.deferred_until) == dict.fromkeys(static, REBOOT)
    assert bring(rec, aws, ID, WANT).spec == WANT


def test_a_parameter_without_a_value_is_not_set(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, with_({}))
    assert look(rec, aws, ID, with_({"log_statement": "ddl"})).spec.parameters == {}


def test_twenty_are_changed_in_a_call_and_the_rest_in_the_next(rec: ParameterGroups, aws: Aws) -> None:
    switches = [name for name, one in DEFAULTS.items() if one.data_type == "boolean" and one.value is None]
    many = with_(dict.fromkeys(switches[:21], "1"))
    bring(rec, aws, ID, with_({}))
    assert rec.update(aws, ID, with_({}), many) == frozenset()
    half = look(rec, aws, ID, many).spec
    assert len(half.parameters) == 20
    assert rec.update(aws, ID, half, many) == {"parameters"}
    assert look(rec, aws, ID, many).spec == many
    assert rec.update(aws, ID, many, with_({})) == frozenset()
    assert len(look(rec, aws, ID).spec.parameters) == 1


@pytest.mark.parametrize(
    ("live", "wanted", "seen"),
    [
        ({"ParameterValue": "ALL", "AllowedValues": "NONE,TOP,ALL"}, "all", "all"),
        ({"ParameterValue": "TOP", "AllowedValues": "NONE,TOP,ALL"}, "all", "TOP"),
        ({"ParameterValue": "Public"}, "public", "Public"),
        ({"ParameterValue": " 1000 "}, "1000", "1000"),
        ({"ParameterValue": "pgaudit, pg_cron", "DataType": "list"}, "pgaudit,pg_cron", "pgaudit,pg_cron"),
        ({"ParameterValue": "pgaudit,pg_cron", "DataType": "list"}, "pgaudit, pg_cron", "pgaudit, pg_cron"),
        ({"ParameterValue": "pg_cron,pgaudit", "DataType": "list"}, "pgaudit,pg_cron", "pg_cron,pgaudit"),
    ],
)
def test_values_are_compared_as_rds_means_them(aws: Aws, live: dict[str, Any], wanted: str, seen: str) -> None:
    rec = db_parameter_group.RECONCILER
    bring(rec, aws, ID, with_({}))
    answer(aws.rds, "DescribeDBParameters", {"Parameters": [{"ParameterName": "x", **live}]})
    assert look(rec, aws, ID, with_({"x": wanted})).spec.parameters == {"x": seen}


def test_what_may_not_be_read_is_unread(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, WANT)
    reading = operation(rec, "Describe*Parameters")
    refuse(aws.rds, reading, *DENIED)
    refuse(aws.rds, "ListTagsForResource", *DENIED)
    seen = look(rec, aws, ID, WANT)
    assert seen.unreadable == {"parameters": f"rds:{reading}", "tags": "rds:ListTagsForResource"}
    assert (seen.spec, seen.owner) == (WANT, None)
    assert look(rec, aws, ID).spec.parameters == {}


def test_a_group_that_may_not_be_read_is_not_absent(rec: ParameterGroups, aws: Aws) -> None:
    refuse(aws.rds, operation(rec, "Describe*ParameterGroups"), *DENIED)
    with pytest.raises(AwsRefused):
        rec.observe(aws, ID, None)


def test_a_group_that_was_not_asked_for_is_not_the_one(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, "other", WANT)
    found = operation(rec, "*ParameterGroup")
    answer(aws.rds, operation(rec, "Describe*ParameterGroups"), {f"{found}s": [{f"{found}Name": "other"}]})
    assert rec.observe(aws, ID, None) is None


def test_a_taken_name_is_looked_at_again_and_an_unknown_family_is_refused(rec: ParameterGroups, aws: Aws) -> None:
    with pytest.raises(AwsRefused, match="family"):
        rec.create(aws, ID, WANT.model_copy(update={"family": "aurora-postgresql9"}), OURS)
    rec.create(aws, ID, WANT, OURS)
    with pytest.raises(AlreadyExists):
        rec.create(aws, ID, WANT, OURS)


@pytest.mark.parametrize(
    ("code", "patience"),
    [("InvalidDBParameterGroupState", Patience.BUSY), ("DBParameterGroupNotFound", Patience.PROPAGATION)],
)
def test_a_change_that_is_not_possible_yet_is_asked_again(
    rec: ParameterGroups, aws: Aws, code: str, patience: Patience
) -> None:
    bring(rec, aws, ID, with_({}))
    refuse(aws.rds, operation(rec, "Modify*ParameterGroup"), code, "has pending changes")
    with pytest.raises(NotYet) as caught:
        rec.update(aws, ID, with_({}), WANT)
    assert caught.value.patience is patience


def test_a_parameter_that_does_not_exist_is_refused(rec: ParameterGroups, aws: Aws) -> None:
    bring(rec, aws, ID, with_({}))
    with pytest.raises(AwsRefused, match="Could not find parameter"):
        rec.update(aws, ID, with_({}), with_({"log_statment": "ddl"}))


def test_a_group_in_use_is_waited_for(case: ModuleType, rec: ParameterGroups, aws: Aws) -> None:
    world = db_instance.prepare(aws)
    used = db_cluster.GROUP if rec.arn_kind == "cluster-pg" else db_instance.GROUP
    bring(db_instance.RECONCILER, aws, db_instance.ID, db_instance.examples(world)[0])
    with pytest.raises(NotYet, match="still members") as caught:
        rec.delete(aws, used, look(rec, aws, used), None)
    assert caught.value.patience is Patience.LONG


def test_it_goes_and_goes_only_once(rec: ParameterGroups, aws: Aws) -> None:
    seen = bring(rec, aws, ID, WANT)
    delete_until_gone(rec, aws, ID)
    rec.delete(aws, ID, seen, None)


def test_a_removal_that_is_not_allowed_is_refused(rec: ParameterGroups, aws: Aws) -> None:
    seen = bring(rec, aws, ID, WANT)
    refuse(aws.rds, operation(rec, "Delete*ParameterGroup"), *DENIED)
    with pytest.raises(AwsRefused):
        rec.delete(aws, ID, seen, None)
