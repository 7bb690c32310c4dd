"""Prescriptions of an organisation and additions of a team: what is taken, what is refused, where, by which rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.additions import ADDITIONS, ALARM, EGRESS, PERMISSION, add_all
from tests.support.config_folder import Folder

VARIABLES, PERMISSIONS, EGRESSES = "processor.environment", "processor.permissions", "processor.egress"
CLUSTER, INSTANCE, EXTRA = "database.cluster_parameters", "database.instance_parameters", "alarms.extra"
BOUNDARY, ROLE_PATH, SUBSCRIBERS = "organisation.permissions_boundary", "organisation.role_path", "alarms.subscribers"
CUSTOM = {**ALARM, "of": "custom", "namespace": "AWS/SQS", "dimensions": {"QueueName": "events-{suffix}"}}
SECRET = "looks like a secret"
CARDS = "would print card data into the logs"
WORLD = "is the whole internet, which is for HTTPS (port 443) alone"
NO_TOKEN = "{stage} is no token; filled in are {partition}, {account_id}, {region}, {suffix}"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "environments")


def test_everything_at_once_is_taken(folder: Folder) -> None:
    add_all(folder).put("dev", SUBSCRIBERS, ["email:oncall@example.com"])
    config = folder.load()["dev"]
    assert folder.valid_by_schema("common")
    assert folder.valid_by_schema("dev")
    assert config.processor.permissions[0].actions == ("sqs:SendMessage",)
    assert (config.alarms.extra[0].threshold, config.alarms.subscribers) == (268435456.0, ("email:oncall@example.com",))


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("common", BOUNDARY, "arn:aws:iam::aws:policy/PowerUserAccess"),
        ("common", ROLE_PATH, "/a/{suffix}/"),
        (
            "common",
            VARIABLES,
            {"API_TOKEN_URL": "https://example.com", "DATABASE_SECRET_ARN": "arn:x", "JSON": '{"a": "(hidden)"}'},
        ),
        (
            "common",
            VARIABLES,
            {"PARTNER": "arn:{partition}:secretsmanager:{region}:{account_id}:secret:partner-AbCdEf"},
        ),
        ("common", PERMISSIONS, [{**PERMISSION, "resources": ["*"], "why": "it has no resources"}]),
        (
            "common",
            PERMISSIONS,
            [
                {
                    "sid": "Become",
                    "actions": ["sts:AssumeRole"],
                    "resources": ["arn:aws:iam::{account_id}:role/ledger"],
                },
                {
                    "sid": "Read",
                    "actions": ["iam:GetRole", "kms:GetKeyPolicy", "sqs:ListQueues"],
                    "resources": ["*"],
                    "why": "w",
                },
            ],
        ),
        ("common", PERMISSIONS, [{**PERMISSION, "resources": ["arn:aws:s3:::b/${aws:PrincipalTag/team}/*"]}]),
        ("common", EGRESSES, [{**EGRESS, "to": to} for to in ("pl-0123456789abcdef0", "sg-01234567", "2001:db8::/32")]),
        ("common", EGRESSES, [{**EGRESS, "to": "0.0.0.0/0"}, {**EGRESS, "port": 8443}, EGRESS]),
        ("common", CLUSTER, {"max_connections": "LEAST({DBInstanceClassMemory/9531392},5000)", "x": "{EndPointPort}"}),
        ("common", INSTANCE, {"pgaudit.log": "ddl,role", "log_parameter_max_length": "0", "debug_print_plan": "OFF"}),
        ("common", EXTRA, [{**ALARM, "of": "function", "statistic": "p99.9"}, {**ALARM, "name": "b", "of": "cluster"}]),
        ("common", EXTRA, [{**CUSTOM, "namespace": "Payments", "period_s": 10, "periods": 1440}]),
        ("common", EXTRA, [{**ALARM, "period_s": 3600, "periods": 168}]),
        ("dev", SUBSCRIBERS, ["https://a.example.com:65535/x-y", "arn:aws:lambda:{region}:{account_id}:function:a"]),
    ],
)
def test_what_aws_accepts_is_taken(folder: Folder, file: str, key: str, value: Any) -> None:
    assert folder.put(file, key, value).problems() == []
    assert folder.valid_by_schema(file)


@pytest.mark.parametrize(
    ("key", "value", "place", "rule"),
    [
        (BOUNDARY, "payments-boundary", "", "must be the ARN of an IAM policy, such as arn:"),
        (
            BOUNDARY,
            "arn:aws:iam::{account}:policy/b",
            "",
            "{account} is no token; filled in are {partition}, {account_id}, {region}",
        ),
        (BOUNDARY, "arn:aws:iam::{account_id}:policy/{stage}", "", NO_TOKEN),
        (BOUNDARY, 1, "", "this is an integer"),
        (ROLE_PATH, 1, "", "this is an integer"),
        (ROLE_PATH, "payments", "", "must be an IAM path of at most 512"),
        (ROLE_PATH, "/aws-service-role/x/", "", "begins with a path that IAM keeps for itself"),
        (ROLE_PATH, "/{sufix}/", "", "; did you mean {suffix}?"),
        ("processor.architecture", True, "", 'must be "x86_64" or "arm64"'),
        (VARIABLES, ["A"], "", "this is an array"),
        (CLUSTER, "x", "", "this is a string"),
        (CLUSTER, {f"a{n}": "1" for n in range(101)}, "", "at most 100"),
        (EXTRA, "x", "", "this is a string"),
        (EXTRA, [{**ALARM, "name": f"a{n}"} for n in range(51)], "", "must be an array of at most"),
        (EXTRA, [{**ALARM, "metric": 1}], ".0.metric", "this is an integer"),
        (EXTRA, [{**CUSTOM, "dimensions": ["a"]}], ".0.dimensions", "this is an array"),
        ("processor.architecture", "arm", "", 'must be "x86_64" or "arm64"'),
        (VARIABLES, {"DB_NAME": "x"}, ".DB_NAME", "tapctl sets DB_ENDPOINT, DB_NAME, DB_PORT"),
        (VARIABLES, {"AWS_REGION": "x"}, ".AWS_REGION", "is a variable that Lambda sets itself"),
        (VARIABLES, {"A-B": "x"}, ".A-B", "a variable's name must be 2 to 128 letters"),
        (VARIABLES, {"FLAG": True}, ".FLAG", "this is a boolean"),
        (VARIABLES, {"FLAG": "a\nb"}, ".FLAG", "must be a string of 1 to 2048 characters on one line"),
        (VARIABLES, {"FLAG": "a" * 2049}, ".FLAG", "must be a string of 1 to 2048 characters on one line"),
        (VARIABLES, {"FLAG": ""}, ".FLAG", "must be a string of 1 to 2048 characters on one line"),
        (VARIABLES, {"FLAG": "{stage}"}, ".FLAG", NO_TOKEN),
        (VARIABLES, {"FLAG": "(hidden)"}, ".FLAG", "is what reports show in place of a value that may be a secret"),
        (VARIABLES, {"FLAG": "${region}"}, ".FLAG", "${region} is no token; write {region}, without the $"),
        (VARIABLES, {"A1": "x" * 2000, "A2": "x" * 2000}, "", "has 4004 bytes of names and values"),
        (PERMISSIONS, {"sid": "A"}, "", "must be an array of at most 20 statements; this is a table"),
        (PERMISSIONS, ["A"], ".0", "must be a table with the keys sid, actions, resources, why; this is a string"),
        (PERMISSIONS, [{**PERMISSION, "actons": []}], ".0.actons", "did you mean actions?; allowed here: sid, actions"),
        (
            PERMISSIONS,
            [{"sid": "A", "resources": ["*"], "why": "w"}],
            ".0.actions",
            "is missing; must be an array of 1",
        ),
        (PERMISSIONS, [{**PERMISSION, "sid": "WriteLogs"}], ".0.sid", "is a statement that the policy has anyway"),
        (PERMISSIONS, [{**PERMISSION, "sid": "a-b"}], ".0.sid", "must be a statement's id of 1 to 64"),
        (PERMISSIONS, [PERMISSION, PERMISSION], ".1.sid", "is there already, as processor.permissions.0"),
        (PERMISSIONS, [{**PERMISSION, "actions": []}], ".0.actions", "must be an array of 1 to 50 actions"),
        (PERMISSIONS, [{**PERMISSION, "actions": ["sqs:*"]}], ".0.actions.0", "is a wildcard"),
        (PERMISSIONS, [{**PERMISSION, "actions": ["IAM:passrole"]}], ".0.actions.0", "would let the function hand out"),
        *(
            (PERMISSIONS, [{**PERMISSION, "actions": [action]}], ".0.actions.0", "would let the function raise its own")
            for action in (
                *("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:CreateAccessKey", "iam:UpdateAssumeRolePolicy"),
                "sts:AssumeRoot",
                *("IAM:createpolicyversion", "iam:DeleteRolePermissionsBoundary", "organizations:LeaveOrganization"),
                *("kms:PutKeyPolicy", "kms:creategrant", "lambda:UpdateFunctionCode", "ssm:SendCommand"),
            )
        ),
        (
            PERMISSIONS,
            [{**PERMISSION, "actions": ["sts:AssumeRole"], "resources": ["*"], "why": "w"}],
            ".0.resources.0",
            "is a pattern; name each role that the function may assume",
        ),
        (
            PERMISSIONS,
            [{**PERMISSION, "actions": ["sts:assumerole"], "resources": ["arn:aws:iam::{account_id}:role/*"]}],
            ".0.resources.0",
            "is a pattern; name each role",
        ),
        (PERMISSIONS, [{**PERMISSION, "actions": "sqs:SendMessage"}], ".0.actions", "this is a string"),
        (
            PERMISSIONS,
            [{**PERMISSION, "actions": ["sqs:SendMessage"] * 2}],
            ".0.actions",
            "has sqs:SendMessage more than once",
        ),
        (PERMISSIONS, [{**PERMISSION, "resources": PERMISSION["resources"] * 2}], ".0.resources", "more than once"),
        (PERMISSIONS, [{**PERMISSION, "sid": f"S{n}"} for n in range(21)], "", "must be an array of at most 20"),
        (PERMISSIONS, [{**PERMISSION, "actions": ["SendMessage"]}], ".0.actions.0", "must be an IAM action without a"),
        (PERMISSIONS, [{**PERMISSION, "resources": ["*"]}], ".0.resources", "is everything that there is; name the"),
        (PERMISSIONS, [{**PERMISSION, "resources": ["arn:aws:sqs:*:*:*"]}], ".0.resources", "is everything that there"),
        (PERMISSIONS, [{**PERMISSION, "resources": ["queue"]}], ".0.resources.0", "must be an ARN, such as arn:"),
        (
            PERMISSIONS,
            [{**PERMISSION, "resources": ["arn:aws:sqs:{region}:{account_id}:{stage}"]}],
            ".0.resources.0",
            NO_TOKEN,
        ),
        (
            PERMISSIONS,
            [{**PERMISSION, "sid": f"S{n}", "actions": [f"sqs:{n}{'a' * 100}" for n in range(40)]} for n in range(2)],
            "",
            "characters in all, and the role's policy has room for 6000",
        ),
        (EGRESSES, [{**EGRESS, "port": 0}], ".0.port", "must be a port: a whole number from 1 to 65535"),
        (EGRESSES, [{**EGRESS, "port": "443"}], ".0.port", "this is a string"),
        (EGRESSES, [{**EGRESS, "to": "10.20.0.1/16"}], ".0.to", "; did you mean 10.20.0.0/16?"),
        (EGRESSES, [{**EGRESS, "to": ""}], ".0.to", "must be a CIDR block (10.20.0.0/16, 2001:db8::/32)"),
        (EGRESSES, [{**EGRESS, "port": port} for port in range(1, 52)], "", "must be an array of at most 50 rules"),
        (EGRESSES, [{**EGRESS, "to": "10.20.0.0"}], ".0.to", "must be a CIDR block (10.20.0.0/16, 2001:db8::/32)"),
        (EGRESSES, [{**EGRESS, "to": "example.com/16"}], ".0.to", "must be a CIDR block (10.20.0.0/16, 2001:db8::/32)"),
        (EGRESSES, [{**EGRESS, "to": "0.0.0.0/0", "port": 22}], ".0.to", WORLD),
        (EGRESSES, [{**EGRESS, "to": "::/0", "port": 80}], ".0.to", WORLD),
        (EGRESSES, [{"port": 443, "to": "10.0.0.0/8"}], ".0.why", "is missing; must be the reason"),
        (EGRESSES, [{**EGRESS, "why": "Ü"}], ".0.why", "must be the reason, in 1 to 200"),
        (EGRESSES, [EGRESS, {**EGRESS, "why": "again"}], ".1.to", "is there already, as processor.egress.0"),
        (CLUSTER, {"log_statement": "all"}, ".log_statement", "tapctl sets it: it is database.log_statement"),
        (INSTANCE, {"rds.force_ssl": "0"}, '."rds.force_ssl"', "tapctl sets it: no connection goes without TLS"),
        (CLUSTER, {"Log_X": "1"}, ".Log_X", "a parameter's name must be lower-case letters"),
        (CLUSTER, {"log_lock_waits": 1}, ".log_lock_waits", "must be a string of 1 to 1000 characters on one line"),
        (CLUSTER, {"a": "1" * 1001}, ".a", "must be a string of 1 to 1000 characters on one line"),
        (CLUSTER, {"log_lock_waits": "{stage}"}, ".log_lock_waits", NO_TOKEN),
        (CLUSTER, {"log_min_duration_sample": "0"}, ".log_min_duration_sample", CARDS),
        (INSTANCE, {"log_parameter_max_length": "-1"}, ".log_parameter_max_length", CARDS),
        (INSTANCE, {"auto_explain.log_min_duration": "0"}, '."auto_explain.log_min_duration"', CARDS),
        (INSTANCE, {"pgaudit.log": "ddl,write"}, '."pgaudit.log"', f'{CARDS}; must be "none", "ddl", "role" or'),
        (INSTANCE, {"pgaudit.role": "rds_pgaudit"}, '."pgaudit.role"', f"{CARDS}; must be left out"),
        (EXTRA, [{**ALARM, "name": "Db"}], ".0.name", "must be a name of at most 100 lower-case"),
        (EXTRA, [{**ALARM, "name": "db-cpu"}], ".0.name", "is kept for the alarms that every stack has"),
        (EXTRA, [{**ALARM, "name": "payment-processor-errors-x"}], ".0.name", "is kept for the alarms that every"),
        (EXTRA, [ALARM, ALARM], ".1.name", "is there already, as alarms.extra.0"),
        (
            EXTRA,
            [ALARM, {**ALARM, "of": "function", "name": f"{ALARM['name']}-1"}],
            ".1.name",
            "is what the alarm on an",
        ),
        (EXTRA, [{**ALARM, "of": "table"}], ".0.of", 'must be "function", "cluster", "instance", or "custom"'),
        (EXTRA, [{**ALARM, "namespace": "AWS/SQS"}], ".0.namespace", 'is for of = "custom" alone'),
        (EXTRA, [{**CUSTOM, "dimensions": {}}], ".0.dimensions", "must be 1 to 30 dimensions"),
        (EXTRA, [{**CUSTOM, "dimensions": {"a": "{stage}"}}], ".0.dimensions.a", NO_TOKEN),
        (EXTRA, [{**CUSTOM, "namespace": "a:b"}], ".0.namespace", "must be a namespace of 1 to 255"),
        (EXTRA, [{k: v for k, v in CUSTOM.items() if k != "dimensions"}], ".0.of", "needs dimensions = …"),
        (EXTRA, [{**ALARM, "metric": ""}], ".0.metric", "must be a metric's name"),
        (EXTRA, [{**ALARM, "statistic": "p101"}], ".0.statistic", "must be SampleCount, Average, Sum"),
        (EXTRA, [{**ALARM, "comparison": "=="}], ".0.comparison", 'must be "<", "<=", ">" or ">="'),
        (EXTRA, [{**ALARM, "threshold": True}], ".0.threshold", "this is a boolean"),
        (EXTRA, [{**ALARM, "threshold": 2**60}], ".0.threshold", "must be a number from -2^53 to 2^53"),
        (EXTRA, [{**ALARM, "period_s": "300"}], ".0.period_s", "this is a string"),
        (EXTRA, [{**ALARM, "period_s": 90}], ".0.period_s", "must be a whole number of seconds: 10, 20, 30, or whole"),
        (EXTRA, [{**ALARM, "period_s": 30}], ".0.period_s", "must be at least 60 s: AWS's own metrics"),
        (EXTRA, [{**ALARM, "periods": 289}], ".0.periods", "must look back at most 86400 s in all"),
        (EXTRA, [{**ALARM, "periods": 0}], ".0.periods", "must be a whole number of periods from 1 to 1440"),
    ],
)
def test_what_aws_or_tapctl_refuses_is_refused_at_its_place(
    folder: Folder, key: str, value: Any, place: str, rule: str
) -> None:
    file, where, _, told = folder.put("common", key, value).problem()
    assert (file, where) == ("common.toml", key + place)
    assert rule in told


def test_rules_that_let_out_into_the_whole_internet_together_are_refused_each(folder: Folder) -> None:
    halves = [{**EGRESS, "to": peer, "port": 80} for peer in ("8.0.0.0/8", "9.0.0.0/8", "10.0.0.0/8")]
    told = folder.put("common", EGRESSES, halves).problems()
    assert [one.key for one in told] == [f"{EGRESSES}.0.to", f"{EGRESSES}.1.to"]
    rule = "is 8.0.0.0/7 with the others of port 80: the whole internet, which is for HTTPS (port 443) alone"
    assert {one.rule for one in told} == {rule}


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("http://example.com", "would send alarms in the clear"),
        ("sms:+49123", 'must be "email:…", "https://…"'),
        ("arn:aws:sns:us-east-2:123456789012:other", 'must be "email:…", "https://…"'),
        ("https://example.com/?a=b", 'must be "email:…", "https://…"'),
        ("https://me:hidden1@example.com/a", SECRET),
        ("https://me@example.com/a", SECRET),
        ("https://example.com/token=abcdef", SECRET),
        ("arn:aws:sqs:us-east-2:123456789012:{stage}", NO_TOKEN),
    ],
)
def test_a_subscriber_that_is_none_is_refused(folder: Folder, value: str, rule: str) -> None:
    file, where, shown, told = folder.put("dev", SUBSCRIBERS, [value]).problem()
    assert (file, where) == ("dev.toml", f"{SUBSCRIBERS}.0")
    assert rule in told
    assert "hidden1" not in shown


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (SUBSCRIBERS, ["https://events.example.com/integration/k3yk3yk3y/enqueue?x=1"]),
        (SUBSCRIBERS, ["http://events.example.com/k3yk3yk3y"]),
        (SUBSCRIBERS, ["https://events.example.com/k3yk3yk3y"] * 2),
        (SUBSCRIBERS, [" https://events.example.com/k3yk3yk3y"]),
        (SUBSCRIBERS, ["https://events.example.com/k3yk3yk3y "]),
        (SUBSCRIBERS, ["https://events.example.com/a b/k3yk3yk3y"]),
        (SUBSCRIBERS, ["https://events.example.com/k3yk3yk3y*"]),
        (SUBSCRIBERS, ["HTTPS://events.example.com/k3yk3yk3y"]),
        (SUBSCRIBERS, ["https:/events.example.com/k3yk3yk3y"]),
        (SUBSCRIBERS, [r"https:\\events.example.com\k3yk3yk3y"]),
        (SUBSCRIBERS, ["email:https://events.example.com/k3yk3yk3y"]),
        (SUBSCRIBERS, ["events.example.com/k3yk3yk3y"]),
        (SUBSCRIBERS, ["events.example.com?key=k3yk3yk3y"]),
        (SUBSCRIBERS, ["me:k3yk3yk3y@events.example.com"]),
        (SUBSCRIBERS, ["https://events.example.com:99999/k3yk3yk3y"]),
        (SUBSCRIBERS, "events.example.com/k3yk3yk3y"),
        (SUBSCRIBERS, {"events.example.com/k3yk3yk3y": ["events.example.com/k3yk3yk3y"]}),
        ("alarms", ["events.example.com/k3yk3yk3y"]),
        ("alarms.subscriber", ["events.example.com/k3yk3yk3y"]),
        ("subscribers", [{"to": "HTTPS://events.example.com/k3yk3yk3y"}]),
        ("alarms", {"https://events.example.com/k3yk3yk3y": True}),
        ("role_arn", "https://events.example.com/k3yk3yk3y"),
    ],
)
def test_the_path_of_a_receiver_on_the_web_is_not_shown_where_it_breaks_a_rule(
    folder: Folder, key: str, value: Any
) -> None:
    told = " ".join(map(str, folder.put("dev", key, value).problems()))
    assert ("events.example.com" in told, "k3yk3y" in told) == (True, False)


@pytest.mark.parametrize("port", ["0", "0443", "65536", "99999"])
def test_a_port_that_there_is_not_is_refused(folder: Folder, port: str) -> None:
    _, where, shown, _ = folder.put("dev", SUBSCRIBERS, [f"https://example.com:{port}/a"]).problem()
    assert (where, shown) == (f"{SUBSCRIBERS}.0", f'"https://example.com:{port}/…"')
    assert not folder.valid_by_schema("dev")


@pytest.mark.parametrize(
    ("value", "rule"),
    [
        ("email:oncall@example.com", "this is a string"),
        (["email:oncall@example.com"] * 2, "has email:oncall@example.com more than once"),
        ([f"email:p{number}@example.com" for number in range(101)], "must be an array of at most"),
    ],
)
def test_a_list_of_subscribers_that_is_none_is_refused(folder: Folder, value: Any, rule: str) -> None:
    problems = folder.put("dev", SUBSCRIBERS, value).problems()
    assert rule in " ".join(each.rule for each in problems)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("API_TOKEN", "x"),
        ("DB_PASSWORD", "x"),
        ("PRIVATE_KEY", "x"),
        ("FLAG", "-----BEGIN RSA PRIVATE KEY-----"),
        ("FLAG", "AKIAABCDEFGHIJKLMNOP"),
        ("FLAG", "postgres://payments:geheim@db/payments"),
        ("FLAG", "a;password=geheim"),
        ("FLAG", "ghp_" + "a" * 36),
    ],
)
def test_what_looks_like_a_secret_is_refused_and_not_shown(folder: Folder, name: str, value: str) -> None:
    _, where, shown, rule = folder.put("common", VARIABLES, {name: value}).problem()
    assert (where, shown) == (f"{VARIABLES}.{name}", "(not shown)")
    assert rule.startswith(SECRET)


@pytest.mark.parametrize("key", sorted(ADDITIONS))
def test_an_addition_in_an_environment_s_file_is_refused_with_the_reason(folder: Folder, key: str) -> None:
    folder.put("dev", key, ADDITIONS[key])
    assert {each.rule.partition(";")[0] for each in folder.problems()} == {
        "is the same in every environment, and belongs in common.toml"
    }


def test_subscribers_in_common_toml_are_refused_with_the_reason(folder: Folder) -> None:
    rule = folder.put("common", SUBSCRIBERS, ["email:oncall@example.com"]).problem()[3]
    assert rule.startswith("may differ between environments, and belongs in their own files")


def test_a_subscriber_is_in_the_environments_own_partition(folder: Folder) -> None:
    arns = [f"arn:{name}:sqs:us-east-2:123456789012:ringing" for name in ("aws", "aws-cn", "{partition}")]
    _, key, shown, rule = folder.put("dev", SUBSCRIBERS, arns).problem()
    assert (key, rule) == (f"{SUBSCRIBERS}.1", "must be in the partition of us-east-2: arn:aws:…")
    assert arns[1] in shown


@pytest.mark.parametrize(
    ("arn", "key", "rule"),
    [
        ("arn:aws:iam::210987654321:policy/b", "account_id", "or write {account_id} there"),
        ("arn:aws-cn:iam::{account_id}:policy/b", "region", "or write {partition} there"),
    ],
)
def test_a_boundary_is_of_each_environment_s_account_and_partition(
    folder: Folder, arn: str, key: str, rule: str
) -> None:
    problems = folder.put("common", BOUNDARY, arn).problems()
    assert {(each.key, rule in each.rule) for each in problems} == {(key, True)}
    assert len(problems) == 3


@pytest.mark.parametrize(("partition", "refused"), [("{partition}", 0), ("aws", 2)])
def test_what_the_function_may_use_is_in_each_environment_s_partition(
    folder: Folder, partition: str, refused: int
) -> None:
    arns = [f"arn:{partition}:sqs:{{region}}:{{account_id}}:{name}" for name in ("events", "orders")]
    folder.put("common", PERMISSIONS, [{**PERMISSION, "resources": arns}])
    assert folder.problems() == []
    # A region that is none is told as that alone.
    problems = folder.put("dev", "region", "cn-north-1").put("prod", "region", 1).problems()
    told = [each for each in problems if each.file.endswith("dev.toml")]
    assert [each.key for each in told] == ["region"] * refused
    assert all("or write {partition} there" in each.rule for each in told)
