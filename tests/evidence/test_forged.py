"""A record that was written into, and one that an apply has left: which of the two it is tells the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tapctl.config import Config, any_config
from tapctl.engine.diff import Difference
from tapctl.engine.model import Observed
from tapctl.engine.observe import Observations, observed_outputs
from tapctl.engine.record import Entry, Phase
from tapctl.evidence.forged import forged, forged_whatever_the_files
from tapctl.names import Names
from tapctl.reconcilers import reconciler_of
from tapctl.reconcilers.iam_role import IamRole, IamRoleSpec
from tapctl.stack.network import NetworkContract
from tapctl.stack.never_wanted import let_in
from tests.support.additions import EGRESS, PERMISSION, add_all
from tests.support.config_folder import Folder
from tests.support.recorded import DIGEST, NETWORK, recorded

CLUSTER, EVIL = "db-cluster/db-cluster-dev", "db.evil.example"
ROLE, FUNCTION, RULES = "iam-role/lambda-role-dev", "lambda-function/payment-processor-dev", "security-group-rules/"
HOST = "123456789012.dkr.ecr.us-east-2.amazonaws.com"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def dev(folder: Folder) -> tuple[Config, Names, dict[str, Entry]]:
    config, names = folder.load()["dev"], Names("dev", "123456789012", "us-east-2")
    return config, names, recorded(config, names)


def outputs_of(entries: dict[str, Entry]) -> dict[str, dict[str, str]]:
    """The recorded outputs, by address."""
    return {place: entry.outputs for place, entry in entries.items() if entry.outputs}


def whatever_the_files(
    config: Config, names: Names, entries: dict[str, Entry], cut_off: Observations | None = None
) -> list[tuple[Entry, Difference]]:
    """Values that no files can want, made for the recorded outputs, or where a run was cut off for AWS's."""
    outputs = [outputs_of(entries)]
    outputs += [{**outputs[0], **observed_outputs(cut_off)}] if cut_off else []
    return list(forged_whatever_the_files(config, names, entries, NETWORK, outputs, cut_off=cut_off))


def told(
    config: Config, names: Names, entries: dict[str, Entry], network: NetworkContract | None = None
) -> list[tuple[str, str, Any, Any]]:
    """Address, path, and the recorded and the wanted value of each difference."""
    return [
        (entry.address, part.path, part.have, part.want) if part else (entry.address, "*", None, None)
        for entry, part in forged(config, names, entries, network, outputs_of(entries))
    ]


@pytest.mark.parametrize("suffix", ["", "pr-42"])
@pytest.mark.parametrize("package", ["image", "zip"])
@pytest.mark.parametrize("added", [False, True])
def test_what_an_apply_has_left_is_not_forged(folder: Folder, added: bool, package: str, suffix: str) -> None:
    if added:
        add_all(folder)
    if package == "zip":
        folder.put("common", "processor.package", "zip").drop("common", "processor.image")
        folder.put("common", "processor.runtime", "nodejs22.x")
    for env, config in folder.load().items():
        names = Names(suffix or env, config.account_id, config.region)
        entries = recorded(config, names)
        for network in (None, NETWORK):
            assert told(config, names, entries, network) == []
        role = IamRoleSpec.model_validate(entries[f"iam-role/{names.role}"].spec)
        outputs = {address: entry.outputs or {} for address, entry in entries.items()}
        assert list(let_in(names, IamRole.type, names.role, role, outputs=[outputs])) == []


@pytest.mark.parametrize(
    ("address", "path", "forged_value"),
    [
        ("log-group//aws/lambda/payment-processor-dev", "retention_days", 400),
        ("cloudwatch-alarm/payment-processor-errors-dev", "alarm_actions", []),
        ("kms-key/alias/db-key-dev", "rotation_period_days", 2560),
        ("db-cluster/db-cluster-dev", "kms_key_arn", "arn:aws:kms:us-east-2:999999999999:key/theirs"),
    ],
)
def test_a_setting_that_is_no_door_is_told_where_the_record_tells_its_network(
    folder: Folder, address: str, path: str, forged_value: Any
) -> None:
    config, names, entries = dev(folder)
    assert path in entries[address].spec, sorted(entries[address].spec)
    entries[address].spec[path] = forged_value
    assert {(one, field) for one, field, *_ in told(config, names, entries, NETWORK)} == {(address, path)}
    assert told(config, names, entries) == []


def other_files(tmp_path: Path) -> dict[str, Config]:
    """Configurations of dev that another one may be changed into: by a key, by additions, by the kind of package."""
    added = add_all(Folder(tmp_path / "added")).load()["dev"]
    zipped = Folder(tmp_path / "zipped").put("common", "processor.package", "zip").drop("common", "processor.image")
    by_zip = zipped.put("common", "processor.runtime", "nodejs22.x").load()["dev"]
    bigger = Folder(tmp_path / "bigger").put("dev", "processor.memory_mb", 2048).put("common", "database.port", 5433)
    # A final snapshot follows from protection, and either of the two has the key wait longer for its deletion.
    hardened = (
        Folder(tmp_path / "hardened")
        .put("dev", "protected", True)
        .put("dev", "database.instance_count", 2)
        .put("common", "database.name", "orders")
        .load()["dev"]
    )
    nobodys = any_config("dev", "123456789012", "us-east-2")
    nobodys = nobodys.model_copy(update={"database": nobodys.database.model_copy(update={"engine_version": "16.13"})})
    return {"as they are": Folder(tmp_path / "plain").load()["dev"], "added": added, "zip": by_zip} | {
        "bigger": bigger.load()["dev"],
        "hardened": hardened,
        "nobody's": nobodys,
    }


def test_a_record_of_other_files_is_not_forged(tmp_path: Path) -> None:
    names = Names("dev", "123456789012", "us-east-2")
    files = other_files(tmp_path)
    for now, config in files.items():
        for before, other in files.items():
            found = whatever_the_files(config, names, recorded(other, names))
            assert [(entry.address, part.path) for entry, part in found] == [], (before, now)


def test_no_files_want_another_endpoint_or_no_trace(folder: Folder) -> None:
    config, names, entries = dev(folder.put("dev", "processor.memory_mb", 2048))
    entries[FUNCTION].spec["environment"]["DB_ENDPOINT"] = EVIL
    entries[FUNCTION].spec["memory_mb"] = 512
    entries[FUNCTION].spec["tracing"] = "PassThrough"
    tls, action = ("db-cluster-params-pg16-dev", "parameters.rds.force_ssl"), "payment-processor-errors-dev"
    entries[f"db-cluster-parameter-group/{tls[0]}"].spec["parameters"]["rds.force_ssl"] = "0"
    entries[f"cloudwatch-alarm/{action}"].spec["alarm_actions"] = []
    groups = {("payment-processor-dev", "security_group_ids"), ("db-cluster-dev", "security_group_ids")}
    for place in (FUNCTION, "db-cluster/db-cluster-dev"):
        entries[place].spec["security_group_ids"] = ["sg-evil"]
    endpoint, tracing = ("payment-processor-dev", "environment.DB_ENDPOINT"), ("payment-processor-dev", "tracing")

    def told_of(cut_off: Observations | None = None) -> set[tuple[str, str]]:
        found = whatever_the_files(config, names, entries, cut_off=cut_off)
        return {(entry.id, part.path) for entry, part in found}

    told = {endpoint, tracing, tls, (action, "alarm_actions"), *groups}
    assert told_of() == told
    assert told_of(as_in_aws(entries)) == told
    other = entries["db-cluster/db-cluster-dev"].outputs or {}
    replaced = {**entries, CLUSTER: entries[CLUSTER].model_copy(update={"outputs": {**other, "endpoint": EVIL}})}
    assert told_of(as_in_aws(replaced)) == told - {endpoint}, "the cluster was replaced, and the run cut off after it"


def as_in_aws(entries: dict[str, Entry], *, unreadable: str = "", deleting: bool = False) -> Observations:
    """AWS's answers of which these entries would be the record."""
    observed = {}
    for place, entry in entries.items():
        reconciler = reconciler_of(entry)
        spec = reconciler.spec.model_validate(entry.spec)
        outputs = reconciler.outputs.model_validate(entry.outputs) if entry.outputs else None
        denied = {unreadable: "some:Action"} if unreadable else {}
        observed[place] = Observed(spec, outputs, deleting=deleting, unreadable=denied)
    return observed


@pytest.mark.parametrize(
    ("half_made", "told"),
    [
        ({"phase": Phase.MAKING, "confirmed": {}}, {"environment.DB_ENDPOINT", "environment.DB_NAME", "tracing"}),
        ({"phase": Phase.MAKING}, {"environment.DB_ENDPOINT"}),
        ({"phase": Phase.LEAVING}, {"environment.DB_ENDPOINT"}),
    ],
)
def test_what_aws_has_of_a_half_made_function_is_held_against_all_files(
    folder: Folder, half_made: dict[str, Any], told: set[str]
) -> None:
    config, names, entries = dev(folder)
    evil = json.loads(json.dumps(entries[FUNCTION].spec))
    evil["environment"]["DB_ENDPOINT"] = EVIL
    evil["tracing"] = "PassThrough"
    del evil["environment"]["DB_NAME"]
    live = {**entries, FUNCTION: entries[FUNCTION].model_copy(update={"spec": evil})}
    confirmed = entries[FUNCTION].spec if "confirmed" in half_made else None
    entries[FUNCTION] = entries[FUNCTION].model_copy(update={**half_made, "confirmed": confirmed})

    def told_of(cut_off: Observations) -> set[str]:
        found = whatever_the_files(config, names, entries, cut_off=cut_off)
        return {part.path for entry, part in found if entry is entries[FUNCTION]}

    assert told_of(as_in_aws(entries)) == set()
    assert told_of(as_in_aws(live)) == told
    assert told_of(as_in_aws(live, unreadable="environment")) == told & {"tracing"}
    assert told_of(as_in_aws(live, deleting=True)) == set()
    assert told_of({}) == set()


def test_what_only_other_files_want_has_in_it_what_all_files_want(folder: Folder) -> None:
    config, names, entries = dev(folder)
    group, instance = "db-cluster-parameter-group/db-cluster-params-pg17-dev", "db-instance/db-cluster-dev-1"
    folder.put("common", "database.engine_version", "17.7").put("dev", "database.instance_count", 2)
    newer = recorded(folder.load()["dev"], names)
    for place in (group, instance):
        entries[place] = newer[place]

    def told_of(**evil: Any) -> set[tuple[str, str]]:
        found = whatever_the_files(config, names, entries, **evil)
        return {(entry.address, part.path) for entry, part in found}

    assert told_of() == {(instance, "parameter_group")}, "it is of one version, and the cluster of another"
    assert told_of(cut_off=as_in_aws(entries)) == set(), "an upgrade was cut off"
    entries[group].spec["parameters"]["rds.force_ssl"] = "0"
    entries[instance].spec["auto_minor_version_upgrade"] = not newer[instance].spec["auto_minor_version_upgrade"]
    entries[CLUSTER].spec["cluster_parameter_group"] = "db-cluster-params-pg17-dev"
    assert told_of() == {
        (group, "parameters.rds.force_ssl"),
        (instance, "auto_minor_version_upgrade"),
        (instance, "parameter_group"),
        (CLUSTER, "cluster_parameter_group"),
    }
    entries[CLUSTER].spec["engine_version"] = "17.7"
    assert (CLUSTER, "cluster_parameter_group") not in told_of()


def items_of(value: Any) -> list[list[dict[str, Any]]]:
    """Every set of rules or statements in a recorded spec."""
    if isinstance(value, dict):
        own = [value[name] for name in ("statements", "rules") if name in value]
        return own + [each for part in value.values() for each in items_of(part)]
    return []


def weakened(items: list[dict[str, Any]], item: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """The set without this item, and with what it limits taken from it: conditions, a Deny, the single port."""
    others = [each for each in items if each is not item]
    if "rule" in item or "peer" in item:
        return [others, [*others, {**item, "to_port": 65535}], [*others, {**item, "protocol": "-1"}]]
    changed = [{**item, "actions": [*item["actions"], "s3:GetObject"]}, {**item, "other": '{"NotAction": "x:Y"}'}]
    changed += [{**item, "effect": "Allow"}] if item["effect"] == "Deny" else []
    for condition in item["conditions"]:
        changed.append({**item, "conditions": [each for each in item["conditions"] if each is not condition]})
        wider = {**condition, "values": [*condition["values"], "*"]}
        changed.append({**item, "conditions": [wider if each is condition else each for each in item["conditions"]]})
    return [others, *([*others, each] for each in changed)]


def test_every_rule_and_statement_of_ours_is_wanted_by_all_files(folder: Folder) -> None:
    """Whichever files the record says that it is of: it lacks none of them, and has none that is weaker."""
    config, names, honest = dev(add_all(folder))
    tried = 0
    for place, entry in honest.items():
        for items in items_of(entry.spec):
            for item in items:
                sid, whole = item.get("sid"), [*items]
                if sid == PERMISSION["sid"] or item.get("peer") == EGRESS["to"]:
                    continue  # a team's, which other files may not want
                for weaker in weakened(whole, item):
                    items[:] = weaker
                    found = whatever_the_files(config, names, {**honest, place: entry})
                    told = {each.address for each, _ in found}
                    assert told == {place}, (place, item, weaker)
                    tried += 1
                items[:] = whole
    assert tried > 80


@pytest.mark.parametrize(
    ("address", "path", "value"),
    [
        ("db-cluster-parameter-group/db-cluster-params-pg16-dev", "parameters.log_statement", "all"),
        ("db-cluster-parameter-group/db-cluster-params-pg16-dev", "parameters.log_statement", None),
        ("db-cluster-parameter-group/db-cluster-params-pg16-dev", "parameters.log_min_duration_statement", "0"),
        ("db-parameter-group/db-instance-params-pg16-dev", "parameters.log_parameter_max_length", "-1"),
        ("log-group//aws/lambda/payment-processor-dev", "retention_days", 1),
        ("secret-rotation/db-cluster-dev", "rotation_days", 365),
        ("cloudwatch-alarm/db-cpu-0-dev", "threshold", 1000.0),
        ("db-cluster/db-cluster-dev", "backup_retention_days", 0),
        (FUNCTION, "reserved_concurrency", 0),
        (FUNCTION, "environment.API_TOKEN", "0123456789abcdef0123456789abcdef"),
    ],
)
def test_a_value_that_the_rules_refuse_is_of_no_files(folder: Folder, address: str, path: str, value: Any) -> None:
    config, names, entries = dev(folder.put("dev", "processor.reserved_concurrency", 10))
    name, _, member = path.partition(".")
    spec = entries[address].spec
    if not member:
        spec[name] = value
    elif value is None:
        spec[name].pop(member)
    else:
        spec[name][member] = value
    found = whatever_the_files(config, names, entries)
    assert [(entry.address, part.path) for entry, part in found] == [(address, path)]


@pytest.mark.parametrize(
    ("address", "path", "value"),
    [
        ("db-cluster/db-cluster-dev", "engine_version", "16.4"),
        (FUNCTION, "timeout_s", 60),
        (FUNCTION, "reserved_concurrency", None),
        (FUNCTION, "environment.OTHER", "value"),
        ("cloudwatch-alarm/db-connections-0-dev", "threshold", 640.0),
    ],
)
def test_a_value_that_other_files_or_those_of_an_earlier_day_may_have_is_none(
    folder: Folder, address: str, path: str, value: Any
) -> None:
    config, names, entries = dev(folder.put("dev", "processor.reserved_concurrency", 10))
    name, _, member = path.partition(".")
    spec = entries[address].spec
    spec[name] = {**spec[name], member: value} if member else value
    assert [*whatever_the_files(config, names, entries)] == []


@pytest.mark.parametrize(
    ("protocol", "first", "last", "is_a_teams"),
    [("tcp", 8443, 8443, True), ("tcp", 0, 65535, False), ("udp", 53, 53, False), ("-1", -1, -1, False)],
)
def test_a_way_out_that_no_team_can_write_is_of_no_files(
    folder: Folder, protocol: str, first: int, last: int, is_a_teams: bool
) -> None:
    config, names, entries = dev(folder)
    rule = {"direction": "egress", "protocol": protocol, "from_port": first, "to_port": last}
    entries[f"{RULES}lambda-sg-dev"].spec["rules"].append({**rule, "peer": "203.0.113.7/32", "description": "why"})
    found = whatever_the_files(config, names, entries)
    assert [entry.address for entry, _ in found] == ([] if is_a_teams else [f"{RULES}lambda-sg-dev"])


def test_a_subscription_of_other_files_has_no_settings_either(folder: Folder) -> None:
    config, names, entries = dev(folder)
    spec = {"topic_arn": "arn", "protocol": "email", "endpoint": "x@example.com", "filter_policy": '{"never": ["x"]}'}
    one = Entry(type="sns-subscription", id="alarms-dev/email:x@example.com", phase=Phase.MADE, spec=spec)
    found = whatever_the_files(config, names, {**entries, one.address: one})
    assert [(entry.address, part.path, part.want) for entry, part in found] == [(one.address, "filter_policy", "")]


def test_a_digest_that_the_files_name_is_the_only_one(folder: Folder) -> None:
    config, names, entries = dev(folder.put("common", "processor.image.tag", DIGEST))
    assert told(config, names, entries) == []
    uri = f"{HOST}/payment-processor@sha256:{'b' * 64}"
    entries[FUNCTION].spec["image_uri"] = uri
    ((address, *_, have, _),) = told(config, names, entries)
    assert (address, have) == (FUNCTION, uri)


@pytest.mark.parametrize(
    ("address", "field", "value", "path"),
    [
        (f"{RULES}db-sg-dev", "rules", [], "rules"),
        (ROLE, "inline", {}, "inline.lambda-policy-dev"),
        (FUNCTION, "image_config", '{"Command": ["evil"]}', "image_config"),
        (FUNCTION, "role_arn", "arn:aws:iam::999999999999:role/other", "role_arn"),
        (FUNCTION, "security_group_ids", ["sg-evil"], "security_group_ids"),
        (FUNCTION, "image_uri", f"999999999999.dkr.ecr.us-east-2.amazonaws.com/x@{DIGEST}", "image_uri"),
        (FUNCTION, "image_uri", f"{HOST}/evil@{DIGEST}", "image_uri"),
        (FUNCTION, "image_uri", "evil", "image_uri"),
        (FUNCTION, "layers", ["arn:aws:lambda:us-east-2:999999999999:layer:x:1"], "layers"),
        ("db-cluster/db-cluster-dev", "security_group_ids", ["sg-evil"], "security_group_ids"),
    ],
)
def test_a_door_that_the_files_do_not_want_is_forged(
    folder: Folder, address: str, field: str, value: Any, path: str
) -> None:
    config, names, entries = dev(folder)
    entries[address].spec[field] = value
    found = told(config, names, entries)
    assert {(where, of) for where, of, *_ in found} == {(address, path)}


def test_a_variable_that_the_files_do_not_want_is_forged(folder: Folder) -> None:
    config, names, entries = dev(folder)
    entries[FUNCTION].spec["environment"]["DB_ENDPOINT"] = EVIL
    endpoint = "endpoint of db-cluster/db-cluster-dev"
    path = "environment.DB_ENDPOINT"
    assert told(config, names, entries) == [(FUNCTION, path, "db.evil.example", endpoint)]


def test_an_entry_that_the_files_do_not_want_is_forged_unless_it_was_kept(folder: Folder) -> None:
    config, names, entries = dev(folder)
    listens = Entry(type="sns-subscription", id="alarms-dev/email:x@evil.com", phase=Phase.MADE, spec={})
    kept = Entry(type="kms-key", id="alias/old-dev", phase=Phase.KEPT, spec={})
    assert told(config, names, {**entries, listens.address: listens, kept.address: kept}) == [
        (listens.address, "*", None, None)
    ]


def test_what_the_record_does_not_tell_is_not_forged(folder: Folder) -> None:
    """It is told as not compared: a field, its form."""
    config, names, entries = dev(folder)
    entries[ROLE].spec.pop("trust")
    entries[FUNCTION].spec["layers"] = 1
    assert told(config, names, entries) == []
    assert told(config, names, {}) == []


def test_what_is_made_for_an_output_that_neither_record_nor_aws_tells_is_forged(folder: Folder) -> None:
    """A run removes a resource after its users, but for the role: somebody has taken it out of both."""
    config, names, entries = dev(folder)
    del entries["security-group/db-sg-dev"]
    group = "(group_id of security-group/db-sg-dev)"
    assert (CLUSTER, "security_group_ids", None, group) in told(config, names, entries)
    del entries[CLUSTER]
    found = {place for place, *_ in told(config, names, entries)}
    assert (FUNCTION in found, ROLE in found) == (True, False)
