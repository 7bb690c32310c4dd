from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tapctl.config.types import EngineVersion
from tapctl.sandbox.emulator.rds.catalog import AVAILABLE
from tests.support.config_folder import Folder

ACCEPTED: list[tuple[str, str, Any]] = [
    *(
        ("common", "database.engine_version", version)
        for version in ("15.10", "15.19", "16.8", "16.13", "17.4", "17.11")
    ),
    *(("common", "database.name", name) for name in ("pay", "payments_2", "a" * 59, "payroll", "rdsx")),
    *(("common", "database.master_username", name) for name in ("postgres", "a" * 16, "x_1", "dba")),
    *(("common", "database.backup_retention_days", days) for days in (7, 35)),
    *(("common", "database.backup_window", window) for window in ("03:00-03:30", "23:50-00:20", "06:00-05:00")),
    *(("common", "database.log_statement", value) for value in ("none", "ddl", "mod")),
    *(("common", "database.log_min_duration_statement_ms", value) for value in (-1, 1, 2147483647)),
    *(("common", "processor.runtime", runtime) for runtime in ("nodejs22.x", "nodejs24.x")),
    ("common", "processor.timeout_s", 900),
    *(("common", "processor.image.repository", name) for name in ("ab", "team/payment-processor", "a__b", "a" * 256)),
    *(("common", "processor.image.tag", tag) for tag in ("1", "_x.y-Z", "a" * 128, f"sha256:{'0' * 64}")),
    ("common", "processor.image.registry", "210987654321"),
    *(("common", "secrets.rotation_days", days) for days in (1, 30)),
    *(("common", "logs.retention_days", days) for days in (30, 60, 365, 3653)),
    *(("common", "alarms.throttle_threshold", value) for value in (1, 1_000_000)),
    *(("common", "alarms.cpu_threshold_percent", value) for value in (1, 100)),
    *(
        ("dev", "database.instance_class", f"db.{name}")
        for name in (
            *("t3.medium", "t4g.large", "r5.24xlarge", "r6g.16xlarge", "r6i.32xlarge", "r7g.large", "r7i.48xlarge"),
            *("r8g.48xlarge", "r6gd.xlarge", "r6id.24xlarge", "r8gd.large", "r8gd.48xlarge", "x2g.16xlarge"),
        )
    ),
    *(("dev", "database.instance_count", count) for count in (1, 16)),
    *(("dev", "processor.memory_mb", memory) for memory in (128, 10240)),
    *(("dev", "processor.reserved_concurrency", value) for value in (1, 100_000)),
    *(("dev", "alarms.error_threshold", value) for value in (1, 1_000_000)),
    ("dev", "alarms.latency_threshold_ms", 1),
]


@pytest.mark.parametrize(("file", "key", "value"), ACCEPTED)
def test_what_aws_takes_is_accepted(tmp_path: Path, file: str, key: str, value: Any) -> None:
    config: Any = Folder(tmp_path / "environments").put(file, key, value).load()["dev"]
    for part in key.split("."):
        config = getattr(config, part)
    assert config == value


def test_the_longest_timeout_and_latency_that_lambda_has(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments").put("common", "processor.timeout_s", 900)
    config = folder.put("dev", "alarms.latency_threshold_ms", 900_000).load()["dev"]
    assert (config.processor.timeout_s, config.alarms.latency_threshold_ms) == (900, 900_000)


def test_the_shortest_timeout_that_lambda_has(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "environments").put("common", "processor.timeout_s", 1)
    for env in ("dev", "staging", "prod"):
        folder.put(env, "alarms.latency_threshold_ms", 1000)
    assert folder.load()["dev"].processor.timeout_s == 1


def test_every_minor_that_can_be_created_is_accepted_and_no_other() -> None:
    version = TypeAdapter(EngineVersion)

    def accepted(asked: str) -> bool:
        try:
            return version.validate_python(asked) == asked
        except ValidationError:
            return False

    asked = {major: tuple(minor for minor in range(30) if accepted(f"{major}.{minor}")) for major in range(13, 20)}
    assert {major: minors for major, minors in asked.items() if minors} == AVAILABLE


VERSION = "full version that Aurora PostgreSQL still creates"
CLASS = "must be an instance class that Aurora PostgreSQL has, such as db.r6g.large"
CARDS = "card data, into the logs"
REFUSED: list[tuple[str, str, Any, str]] = [
    ("common", "database.engine_version", "16", "a bare major version lets AWS choose the minor"),
    ("common", "database.engine_version", "16.12", "does not create this version (any more)"),
    ("common", "database.engine_version", "15.2", "does not create this version (any more)"),
    ("common", "database.engine_version", "14.9", "the majors 15, 16 and 17 are supported"),
    ("common", "database.engine_version", "18.3", "the majors 15, 16 and 17 are supported"),
    ("common", "database.engine_version", "16.8-limitless", "Aurora Limitless is another kind of cluster"),
    ("common", "database.engine_version", "latest", VERSION),
    ("common", "database.engine_version", "16,13", "did you mean 16.13?"),
    *(
        (
            "common",
            "database.name",
            name,
            "at most 59 lower-case letters, digits and underscores, a letter first (its user's name is <name>_app",
        )
        for name in ("", "Pay", "1a", "a-b", "a" * 60)
    ),
    *(
        ("common", "database.name", name, "is reserved by PostgreSQL or RDS")
        for name in ("rdsadmin", "rdsrepladmin", "pg_x", "rds_x", "pg", "rds")
    ),
    *(
        ("common", "database.name", name, "is a key word of SQL or PostgreSQL, which RDS takes for no name")
        for name in (
            # PostgreSQL's own reserved words, also those that may name a type or a function
            *("user", "grant", "order", "authorization", "binary", "left", "join", "collation", "verbose"),
            # What PostgreSQL would take, and RDS was seen to refuse
            *("admin", "database", "catalog", "identity", "dispatch", "flag", "comments"),
            *("db", "data", "cluster", "merge", "xmltable", "stdin", "transaction"),
        )
    ),
    *(("common", "database.name", name, "every cluster has already") for name in ("postgres", "template1")),
    *(("common", "database.master_username", name, "at most 16 lower") for name in ("a" * 17, "Admin", "_a", "a\n")),
    *(
        ("common", "database.master_username", name, "is a key word of SQL")
        for name in ("admin", "public", "user", "left", "authorization")
    ),
    *(
        ("common", "database.master_username", name, "is reserved by PostgreSQL or RDS")
        for name in ("rdsadmin", "rdsrepladmin", "rdsproxyadmin", "pg_dba", "rds_superuser")
    ),
    *(("common", "database.backup_retention_days", days, "from 7 to 35") for days in (0, 6, 36)),
    *(
        ("common", "database.backup_window", window, "a daily window in UTC")
        for window in ("3:00-4:00", "03:00", "24:00-01:00", "03:60-05:00", "sun:03:00-sun:04:00", "03:00-04:00 ")
    ),
    *(
        ("common", "database.backup_window", window, f"at least 30 minutes and at most a day long; it is {length} ")
        for window, length in (("03:00-03:29", 29), ("03:00-03:00", 0), ("23:50-00:10", 20))
    ),
    *(
        ("common", "database.maintenance_window", window, "a weekly window in UTC")
        for window in ("Sun:05:00-Sun:06:00", "05:00-06:00", "sun:05:00-06:00", "sunday:05:00-sunday:06:00")
    ),
    *(
        (
            "common",
            "database.maintenance_window",
            window,
            f"at least 30 minutes and at most a day long; it is {length} ",
        )
        for window, length in (("sun:05:00-sun:05:20", 20), ("sun:23:50-mon:00:10", 20), ("mon:05:00-tue:05:01", 1441))
    ),
    *(("common", "database.log_statement", value, CARDS) for value in ("all", "ALL")),
    ("common", "database.log_statement", "dll", "must be one of: none, ddl, mod; did you mean ddl?"),
    ("common", "database.log_min_duration_statement_ms", 0, CARDS),
    *(("common", "database.log_min_duration_statement_ms", value, "from 1 to 2147483647") for value in (-2, 2**31)),
    ("common", "processor.package", "jar", 'must be "image" or "zip"'),
    *(
        ("common", "processor.runtime", f"nodejs{version}", "AWS has deprecated this runtime")
        for version in ("", "4.3", "6.10", "8.10", "12.x", "14.x", "16.x", "18.x", "20.x")
    ),
    ("common", "processor.runtime", "nodejs22", "did you mean nodejs22.x?"),
    ("common", "processor.runtime", "python3.13", "must be a Node.js runtime that is not deprecated"),
    *(("common", "processor.timeout_s", seconds, "from 1 to 900") for seconds in (0, -1, 901)),
    *(
        ("common", "processor.image.repository", name, "the name of an ECR repository")
        for name in ("a", "Payment", "a//b", "a---_b", "a/", "-a", "a" * 257)
    ),
    *(
        ("common", "processor.image.tag", tag, "an image's tag")
        for tag in ("", "-1", ".1", "a b", "a" * 129, "sha256:00", "1:2")
    ),
    *(
        ("common", "processor.image.registry", registry, "an account id, or <account id>.dkr.ecr")
        for registry in (
            *("12345", "docker.io", "123456789012.dkr.ecr.us-east-2.amazonaws.com/x"),
            *("123456789012.dkr.ecr.us-east-2.amazonaws.com.cn", "123456789012.dkr.ecr.cn-north-1.amazonaws.com"),
        )
    ),
    *(("common", "secrets.rotation_days", days, "from 1 to 30: a secret lives no longer") for days in (0, 31, 365)),
    *(("common", "logs.retention_days", days, "kept for 30 days or more") for days in (1, 3, 5, 7, 14)),
    *(
        ("common", "logs.retention_days", days, "CloudWatch Logs has, of 30 days or more: 30,")
        for days in (0, 31, 4000)
    ),
    *(("common", "alarms.throttle_threshold", value, "from 1 to 1000000") for value in (0, 1_000_001)),
    *(("common", "alarms.cpu_threshold_percent", value, "from 1 to 100") for value in (0, 101)),
    *(("common", "alarms.connections_threshold_percent", value, "from 1 to 100") for value in (0, 101)),
    *(
        ("dev", "database.instance_class", f"db.{name}", CLASS)
        for name in (
            *("t3.micro", "t4g.small", "t4g.xlarge", "m5.large", "m6g.large", "r4.large", "t2.medium", "r5.32xlarge"),
            *("r6gd.large", "r6id.large", "r8g.32xlarge", "r6g.24xlarge", "r7g.24xlarge", "r5b.large", "r6i.48xlarge"),
        )
    ),
    ("dev", "database.instance_class", "db.r9g.large", "this tapctl does not know its sizes yet; must be an instance"),
    ("dev", "database.instance_class", "db.serverless", "serverless capacity has no range in this configuration"),
    ("dev", "database.instance_class", "r6g.large", "did you mean db.r6g.large?"),
    *(("dev", "database.instance_count", count, "from 1 to 16") for count in (0, -1, 17)),
    *(("dev", "processor.memory_mb", memory, "from 128 to 10240") for memory in (0, 127, 10241)),
    ("dev", "processor.reserved_concurrency", 0, "0 switches the function off"),
    ("dev", "processor.reserved_concurrency", -1, "a whole number from 1"),
    *(("dev", "alarms.error_threshold", value, "from 1 to 1000000") for value in (0, 1_000_001)),
    *(
        ("dev", "processor.reserved_concurrency", value, "from 1 to 100000 (Lambda's quota is raised to tens of")
        for value in (100_001, 10**23)
    ),
    *(("dev", "alarms.latency_threshold_ms", value, "from 1 to 900000") for value in (0, 900_001)),
]


@pytest.mark.parametrize(("file", "key", "value", "rule"), REFUSED)
def test_what_aws_does_not_take_or_is_unsafe_is_refused(
    tmp_path: Path, file: str, key: str, value: Any, rule: str
) -> None:
    problems = Folder(tmp_path / "environments").put(file, key, value).problems()
    # A window of more than a day overlaps every other, which is told as well.
    (told,) = [each for each in problems if rule in each.rule]
    assert (Path(told.file).name, told.key) == (f"{file}.toml", key)
    assert str(value)[:40].strip() in told.value
