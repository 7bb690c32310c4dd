"""The values of each key: what is taken, what is refused with which rule, and that the JSON Schema says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tapctl.config.types import EngineVersion
from tapctl.sandbox.emulator.rds.catalog import AVAILABLE
from tests.support.config_folder import Folder


@dataclass(frozen=True)
class Key:
    """A key, values that it takes, and values that it refuses, by a part of the rule that is told."""

    file: str
    path: str
    takes: Iterable[Any] = ()
    refuses: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    refuses_beyond_schema: Mapping[str, Iterable[Any]] = field(default_factory=dict)
    """Values that the JSON Schema lets pass: sets of hundreds of words, arithmetic, the end of a line."""


ROLE = "arn:aws:iam::123456789012:role"
STACK = "arn:aws:cloudformation:us-east-2:123456789012:stack/networking-dev/0f0e0d0c-0b0a-4000-8000-000000000000"
HOST = "123456789012.dkr.ecr.us-east-2.amazonaws.com"
OLD_VERSION = "did not create this version in 2026-11"
KEY_WORD = "is a key word of SQL or PostgreSQL, which RDS takes for no name"
RESERVED = "is reserved by PostgreSQL or RDS"
CARDS = "card data, into the logs"
LENGTH = "at least 30 minutes and at most a day long; it is {} "

KEYS = [
    Key(
        "common",
        "service",
        ["p", "card-payments-2", "a" * 64],
        {"at most 64 lower-case": ["", "Payments", "1a", "a_b", "a" * 65]},
        {"at most 64 lower-case": ["a\n"]},
    ),
    Key(
        "common",
        "tags",
        [
            *({}, {"Team": ""}, {"Größe": "a b_.:/=+-@c"}, {"k" * 128: "v" * 256}, {"k": "v"}),
            *({"Cost Center": "x y"}, {"names": "x"}, {"awsx": "aws"}, {f"Tag{number}": "x" for number in range(44)}),
        ],
    ),
    Key(
        "common",
        "database.engine_version",
        ["15.10", "15.19", "16.8", "16.13", "17.4", "17.11", "15.20", "16.16", "17.12", "18.0", "18.3", "20.11"],
        {
            "a bare major version lets AWS choose the minor": ["16"],
            OLD_VERSION: ["16.12", "15.2"],
            "the majors from 15 on are supported": ["14.9", "9.6"],
            "of newer ones AWS is asked": ["16.07", "18.03", "16.100"],
            "Aurora Limitless is another kind of cluster": ["16.8-limitless"],
            "full version that Aurora PostgreSQL still creates": ["latest"],
            "did you mean 16.13?": ["16,13"],
        },
    ),
    Key("common", "database.port", [1150, 5432, 65535], {"a port from 1150 to 65535": [0, 443, 1149, 65536]}),
    Key(
        "common",
        "database.name",
        ["pay", "payments_2", "a" * 59, "payroll", "rdsx", "names_1"],
        {
            "at most 59 lower-case letters, digits and underscores, a letter first (its user's name is <name>_app": [
                *("", "Pay", "1a", "a-b", "a" * 60),
            ],
        },
        {
            RESERVED: ["rdsadmin", "rdsrepladmin", "pg_x", "rds_x", "pg", "rds"],
            KEY_WORD: [
                # PostgreSQL's own reserved words, also those that may name a type or a function
                *("user", "grant", "order", "authorization", "binary", "left", "join", "collation", "verbose"),
                # Words that PostgreSQL would take, and RDS was seen to refuse
                *("admin", "database", "catalog", "identity", "dispatch", "flag", "comments"),
                *("db", "data", "cluster", "merge", "xmltable", "stdin", "transaction"),
            ],
            "every cluster has already": ["postgres", "template1"],
        },
    ),
    Key(
        "common",
        "database.master_username",
        ["postgres", "a" * 16, "x_1", "dba"],
        {"at most 16 lower": ["a" * 17, "Admin", "_a"]},
        {
            "at most 16 lower": ["a\n"],
            KEY_WORD: ["admin", "public", "user", "left", "authorization"],
            RESERVED: ["rdsadmin", "rdsrepladmin", "rdsproxyadmin", "pg_dba", "rds_superuser"],
        },
    ),
    Key("common", "database.backup_retention_days", [7, 35], {"from 7 to 35": [0, 6, 36]}),
    Key(
        "common",
        "database.backup_window",
        ["03:00-03:30", "23:50-00:20", "06:00-05:00"],
        {
            "a daily window in UTC": [
                *("3:00-4:00", "03:00", "24:00-01:00", "03:60-05:00", "sun:03:00-sun:04:00", "03:00-04:00 ")
            ]
        },
        {LENGTH.format(29): ["03:00-03:29"], LENGTH.format(0): ["03:00-03:00"], LENGTH.format(20): ["23:50-00:10"]},
    ),
    Key(
        "common",
        "database.maintenance_window",
        ["mon:05:00-mon:06:00"],
        {
            "a weekly window in UTC": [
                *("Sun:05:00-Sun:06:00", "05:00-06:00", "sun:05:00-06:00", "sunday:05:00-sunday:06:00")
            ]
        },
        {
            LENGTH.format(20): ["sun:05:00-sun:05:20", "sun:23:50-mon:00:10"],
            # A window of more than a day overlaps every other, which is told as well.
            LENGTH.format(1441): ["mon:05:00-tue:05:01"],
        },
    ),
    Key(
        "common",
        "database.log_statement",
        ["none", "ddl", "mod"],
        {CARDS: ["all", "ALL"], "must be one of: none, ddl, mod; did you mean ddl?": ["dll"]},
    ),
    Key(
        "common",
        "database.log_min_duration_statement_ms",
        [-1, 1, 2147483647],
        {CARDS: [0], "from 1 to 2147483647": [-2, 2**31]},
    ),
    Key("common", "processor.package", ["image", "zip"], {'must be "image" or "zip"': ["jar"]}),
    Key(
        "common",
        "processor.runtime",
        ["nodejs22.x", "nodejs24.x", "nodejs26.x"],
        {
            "AWS has deprecated this runtime": [
                f"nodejs{version}" for version in ("", "4.3", "6.10", "8.10", "12.x", "14.x", "16.x", "18.x", "20.x")
            ],
            "did you mean nodejs22.x?": ["nodejs22"],
            "must be a Node.js runtime that is not deprecated": ["python3.13"],
        },
    ),
    Key("common", "processor.timeout_s", [900], {"from 1 to 900": [0, -1, 901]}),
    Key(
        "common",
        "processor.image.repository",
        ["ab", "team/payment-processor", "a__b", "a" * 256],
        {"the name of an ECR repository": ["a", "Payment", "a//b", "a---_b", "a/", "-a", "a" * 257]},
    ),
    Key(
        "common",
        "processor.image.tag",
        ["1", "_x.y-Z", "a" * 128, f"sha256:{'0' * 64}"],
        {"an image's tag": ["", "-1", ".1", "a b", "a" * 129, "sha256:00", "1:2"]},
    ),
    Key(
        "common",
        "processor.image.registry",
        ["210987654321"],
        {
            "an account id, or <account id>.dkr.ecr": [
                *("12345", "docker.io", f"{HOST}/x", f"{HOST}.cn", "123456789012.dkr.ecr.cn-north-1.amazonaws.com")
            ]
        },
    ),
    Key("common", "secrets.rotation_days", [1, 30], {"from 1 to 30: a secret lives no longer": [0, 31, 365]}),
    Key(
        "common",
        "logs.retention_days",
        [30, 60, 365, 3653],
        {
            "kept for 30 days or more": [1, 3, 5, 7, 14],
            "CloudWatch Logs has, of 30 days or more: 30,": [0, 31, 4000],
        },
    ),
    Key("common", "alarms.throttle_threshold", [1, 1_000_000], {"from 1 to 1000000": [0, 1_000_001]}),
    Key("common", "alarms.cpu_threshold_percent", [1, 100], {"from 1 to 100": [0, 101]}),
    Key("common", "alarms.connections_threshold_percent", [1, 100], {"from 1 to 100": [0, 101]}),
    Key(
        "dev",
        "account_id",
        ["123456789012"],
        {"a string of 12 digits": ["", "1" * 11, "1" * 13, "1234-5678-9012", "\u0661" * 12]},
    ),
    Key(
        "dev",
        "region",
        ["eu-central-2", "ap-southeast-7", "mx-central-1", "us-gov-west-1", "cn-northwest-1", "eusc-de-east-1"],
        {
            "an AWS region, such as us-east-1 (of aws, aws-cn, aws-eusc, aws-us-gov)": [
                *("", "us-est-1", "us-east-1a", "us-east", "US-EAST-1", "east-us-1", "us-east-0"),
                *("us-isoz-east-1", "eusc-fr-east-1", "us-east-100"),
            ]
        },
        {"an AWS region, such as us-east-1 (of aws, aws-cn, aws-eusc, aws-us-gov)": ["us-east-1\n"]},
    ),
    Key(
        "dev",
        "networking",
        [
            *("cloudformation:a", f"cloudformation:{STACK}", "ssm:networking", "ssm:/a/b.c/d_e-f/"),
            *("terraform:x", "pulumi:a b"),
        ],
        {
            "must be cloudformation:<stack>, ssm:<path>, terraform:<state file>": [
                *("", "networking-dev", "cloudformation:", "cloudformation:1x", "cloudformation:a_b", "ssm:a b"),
                *("ssm:", "ssm://a", "terraform:", "terraform: x", "pulumi:a\nb", "static:vpc-1"),
                f"cloudformation:{'a' * 129}",
            ],
            "did you mean cloudformation?": ["cloudfromation:networking-dev"],
            "did you mean static?": ["statik"],
        },
    ),
    Key(
        "dev",
        "role_arn",
        [f"{ROLE}/{name}" for name in ("deploy", "ci/deploy", "a+=,.@-_b")],
        {
            "must be the ARN of an IAM role": [
                *("deploy", f"{ROLE}/", f"{ROLE}/a b", "arn:aws:iam::123456789012:user/x", "arn:aws:iam::1:role/x")
            ]
        },
    ),
    Key(
        "dev",
        "database.instance_class",
        [
            *("db.t3.medium", "db.t4g.large", "db.r5.24xlarge", "db.r6g.16xlarge", "db.r6i.32xlarge", "db.r7g.large"),
            *("db.r7i.48xlarge", "db.r8g.48xlarge", "db.r6gd.xlarge", "db.r6id.24xlarge", "db.r8gd.large"),
            *(
                "db.r8gd.48xlarge",
                "db.x2g.16xlarge",
                "db.r9g.large",
                "db.t5g.medium",
                "db.x8g.48xlarge",
                "db.m9g.large",
            ),
        ],
        {
            "must be an instance class that Aurora PostgreSQL has, such as db.r6g.large": [
                *("db.t3.micro", "db.t4g.small", "db.t4g.xlarge", "db.m5.large", "db.m6g.large", "db.r4.large"),
                *("db.t2.medium", "db.r5.32xlarge", "db.r6gd.large", "db.r6id.large", "db.r8g.32xlarge"),
                *("db.r6g.24xlarge", "db.r7g.24xlarge", "db.r5b.large", "db.r6i.48xlarge"),
            ],
            "of newer ones AWS is asked": ["db.r9g.lagre", "db.r9g.micro", "db.r09g.large"],
            "serverless capacity has no range in this configuration": ["db.serverless"],
            "did you mean db.r6g.large?": ["r6g.large"],
        },
    ),
    Key("dev", "database.instance_count", [1, 16], {"from 1 to 16": [0, -1, 17]}),
    Key("dev", "processor.memory_mb", [128, 10240], {"from 128 to 10240": [0, 127, 10241]}),
    Key("common", "processor.ephemeral_storage_mb", [512, 10240], {"from 512 to 10240": [0, 511, 10241]}),
    Key(
        "dev",
        "processor.reserved_concurrency",
        [1, 100_000],
        {
            "0 switches the function off": [0],
            "a whole number from 1": [-1],
            "from 1 to 100000 (Lambda's quota is raised to tens of": [100_001, 10**23],
        },
    ),
    Key("dev", "alarms.error_threshold", [1, 1_000_000], {"from 1 to 1000000": [0, 1_000_001]}),
    Key("dev", "alarms.latency_threshold_ms", [1], {"from 1 to 900000": [0, 900_001]}),
]
TAKEN = [(key.file, key.path, value) for key in KEYS for value in key.takes]
REFUSED = [
    ((key.file, key.path), value, rule, known)
    for key in KEYS
    for known, refused in ((True, key.refuses), (False, key.refuses_beyond_schema))
    for rule, values in refused.items()
    for value in values
]


@pytest.mark.parametrize(("file", "path", "value"), TAKEN)
def test_a_value_that_aws_accepts_is_taken(tmp_path: Path, file: str, path: str, value: Any) -> None:
    folder = Folder(tmp_path / "environments").put(file, path, value)
    taken: Any = folder.load()["dev"]
    for name in path.split("."):
        taken = getattr(taken, name)
    assert (str(taken) if path == "networking" else taken) == value
    assert folder.valid_by_schema(file)


@pytest.mark.parametrize(("place", "value", "rule", "known"), REFUSED)
def test_a_value_that_aws_refuses_or_that_is_unsafe_is_refused(
    tmp_path: Path, place: tuple[str, str], value: Any, rule: str, known: bool
) -> None:
    file, path = place
    folder = Folder(tmp_path / "environments").put(file, path, value)
    (problem,) = [each for each in folder.problems() if rule in each.rule]
    assert (Path(problem.file).name, problem.key) == (f"{file}.toml", path)
    assert str(value)[:20].strip() in problem.value or "\n" in value
    assert folder.valid_by_schema(file) is not known


def test_the_longest_timeout_and_latency_that_lambda_has(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments").put("common", "processor.timeout_s", 900)
    config = folder.put("dev", "alarms.latency_threshold_ms", 900_000).load()["dev"]
    assert (config.processor.timeout_s, config.alarms.latency_threshold_ms) == (900, 900_000)


def test_the_shortest_timeout_that_lambda_has(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments").put("common", "processor.timeout_s", 1)
    for env in ("dev", "staging", "prod"):
        folder.put(env, "alarms.latency_threshold_ms", 1000)
    assert folder.load()["dev"].processor.timeout_s == 1


def test_every_minor_that_can_be_created_is_accepted_and_no_older_other() -> None:
    version = TypeAdapter(EngineVersion)

    def accepted(asked: str) -> bool:
        try:
            return version.validate_python(asked) == asked
        except ValidationError:
            return False

    for major, minors in AVAILABLE.items():
        known = range(minors[-1] + 1)
        assert tuple(minor for minor in known if accepted(f"{major}.{minor}")) == minors
        assert accepted(f"{major}.{minors[-1] + 1}")
    assert not any(accepted(f"{major}.{minor}") for major in range(min(AVAILABLE)) for minor in range(30))


# -- tags -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        *(
            (key, "tapctl sets Name, Environment, EnvironmentSuffix, Service, ManagedBy itself")
            for key in ("Name", "Environment", "EnvironmentSuffix", "Service", "ManagedBy", "managedby")
        ),
        *(
            (key, "a tag's key must be 1 to 128 letters")
            for key in ("", "aws:x", "AWS:x", "rds:x", "tapctl:x", "a*b", "k" * 129, "a\nb", " a", "a ", " ", "[key]")
        ),
    ],
)
def test_a_tag_s_key_that_aws_refuses_or_tapctl_sets_is_refused(tmp_path: Path, key: str, rule: str) -> None:
    folder = Folder(tmp_path / "environments").put("common", "tags", {key: "x"})
    file, where, shown, told = folder.problem()
    assert (file, shown) == ("common.toml", '"x"'), "the value, not the key once more"
    assert where.startswith("tags.")
    assert told.startswith(rule)
    assert not folder.valid_by_schema("common")


@pytest.mark.parametrize("value", ["aws:x", "RDS:x", "v" * 257, "a;b", "a\tb", " a", "a ", " ", "*"])
def test_a_tag_s_value_that_aws_refuses_is_refused(tmp_path: Path, value: str) -> None:
    folder = Folder(tmp_path / "environments").put("common", "tags", {"Team": value})
    _, where, _, rule = folder.problem()
    assert where == "tags.Team"
    assert rule.startswith("must be a string of at most 256 letters")
    assert not folder.valid_by_schema("common")


def test_a_tag_with_a_wrong_key_and_a_wrong_value_has_two_problems(tmp_path: Path) -> None:
    problems = Folder(tmp_path / "environments").put("common", "tags", {"[key]": 1}).problems()
    assert {(each.key, each.value) for each in problems} == {('tags."[key]"', "1")}
    assert len(problems) == 2


def test_more_tags_than_aws_leaves_room_for_are_refused(tmp_path: Path) -> None:
    tags = {f"Tag{number}": "x" for number in range(45)}
    _, where, shown, rule = Folder(tmp_path / "environments").put("common", "tags", tags).problem()
    assert (where, rule, len(shown)) == ("tags", "must be at most 44 tags, each value a string", 80)
