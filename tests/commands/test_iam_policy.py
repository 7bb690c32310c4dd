"""The command that prints the least rights: one document, or files that IAM takes, with a page on the roles."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from tapctl.aws.rights import COMMANDS
from tapctl.cli import run
from tapctl.commands.iam_policy import PAGE
from tapctl.sandbox.emulator.policies import EXPLICIT_DENY, IMPLICIT_DENY, decide
from tests.support.config_folder import ENVIRONMENTS

DOCS = Path(__file__).parents[2] / "docs" / PAGE
STATE = "s3://payments-records/tapctl"


def iam_policy(*arguments: str, state: str = STATE) -> int:
    return run(["iam-policy", "--config", str(ENVIRONMENTS), "--state", state, *arguments])


def test_one_document_is_printed_with_the_rights_to_the_state(capsys: pytest.CaptureFixture[str]) -> None:
    assert iam_policy("--for", "apply", "--env", "dev") == 0
    policy = json.loads(capsys.readouterr().out)
    resources = [resource for each in policy["Statement"] for resource in each["Resource"]]
    assert "arn:aws:s3:::payments-records/tapctl/dev.*" in resources
    (never,) = (each for each in policy["Statement"] if each["Effect"] == "Deny")
    assert never["Action"] == ["rds-db:connect", "secretsmanager:GetSecretValue"]


def test_a_folder_of_records_needs_no_rights(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert iam_policy("--for", "apply", "--env", "dev", state=str(tmp_path)) == 0
    assert "s3:" not in capsys.readouterr().out


@pytest.mark.parametrize("env", ["dev", "prod"])
@pytest.mark.parametrize("command", COMMANDS)
def test_each_file_is_one_that_a_managed_policy_takes(tmp_path: Path, command: str, env: str) -> None:
    assert iam_policy("--for", command, "--env", env, "--out", str(tmp_path / "new")) == 0
    texts = [path.read_text() for path in (tmp_path / "new").glob(f"tapctl-{command}-{env}-*.json")]
    assert 1 <= len(texts) <= 10  # IAM's quota of policies on a role
    assert all(len(text) <= 6144 for text in texts)
    sids = [each["Sid"] for text in texts for each in json.loads(text)["Statement"]]
    assert sorted(sids) == sorted({*sids})


def test_files_of_a_longer_policy_do_not_stay(tmp_path: Path) -> None:
    others = ("tapctl-plan-dev-old-1.json", "tapctl-plan-dev-2-1.json", "tapctl-apply-dev-9.json")
    for name in ("tapctl-plan-dev-9.json", *others, "tapctl-plan-dev-9.json.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "tapctl-plan-dev-x.json").write_text("")
    assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path)) == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert "tapctl-plan-dev-9.json" not in left
    assert {"tapctl-plan-dev-1.json", "tapctl-plan-dev-x.json", "tapctl-plan-dev-9.json.txt"} <= left
    assert {*others} <= left, "of other suffixes and commands"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path / "file" / "x")) == 64
    assert "Not a directory" in capsys.readouterr().err


def test_the_page_of_the_docs_is_what_is_printed(tmp_path: Path) -> None:
    assert iam_policy("--for", "apply", "--env", "prod", "--out", str(tmp_path)) == 0
    if os.environ.get("WRITE_GOLDEN"):
        DOCS.write_text((tmp_path / PAGE).read_text())
    assert DOCS.read_text() == (tmp_path / PAGE).read_text()


def test_a_link_in_the_folder_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "permissions.md").symlink_to(tmp_path / "mine")
    assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path)) == 0
    assert (tmp_path / "mine").read_text() == "mine"
    assert not (tmp_path / "permissions.md").is_symlink()


def test_whoever_lists_the_environments_reads_records_and_locks_and_nothing_else(tmp_path: Path) -> None:
    assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path), state="s3://records/team") == 0
    told = (tmp_path / PAGE).read_text()
    assert '"arn:aws:iam::123456789012:role/tapctl-status"' in told
    assert '"Resource": "arn:aws:s3:::records"' in told
    assert [line.strip(' ",') for line in told.splitlines() if "team/*." in line] == [
        "arn:aws:s3:::records/team/*.json",
        "arn:aws:s3:::records/team/*.lock",
    ]


@pytest.mark.parametrize(
    "action",
    [
        *("GetObject", "PutObject", "DeleteObject", "GetObjectVersion", "DeleteObjectVersion"),
        *("PutObjectAcl", "PutObjectVersionAcl", "ReplicateObject", "ReplicateDelete", "BypassGovernanceRetention"),
    ],
)
def test_the_bucket_keeps_everybody_else_from_records_and_from_their_versions(tmp_path: Path, action: str) -> None:
    assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path), state="s3://records/team") == 0
    blocks = re.findall(r"(?s)```json\n(.*?)```", (tmp_path / PAGE).read_text())
    (policy,) = [json.loads(block) for block in blocks if "OnlyTheRolesOfTapctl" in block]
    (denied,) = [each for each in policy["Statement"] if each["Sid"] == "OnlyTheRolesOfTapctl"]
    # IAM asks for the condition apart: who is none of the roles.
    documents = [{"Statement": {name: denied[name] for name in ("Effect", "Action", "Resource")}}]
    for name in ("dev.json", "dev.lock", "history/dev/00000001-x.json"):
        assert decide(documents, f"s3:{action}", f"arn:aws:s3:::records/team/{name}", {}) == EXPLICIT_DENY
    assert decide(documents, f"s3:{action}", "arn:aws:s3:::records/team/prod.json", {}) == IMPLICIT_DENY
    assert {*denied["Condition"]} == {"ArnNotEquals"}


def test_somebodys_own_page_is_never_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / PAGE).write_text("# Who may do what\n")
    assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path)) == 64
    assert f"{tmp_path / PAGE} is there and is no page of tapctl's: it was left as it is" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [PAGE]
    assert (tmp_path / PAGE).read_text() == "# Who may do what\n"


def test_without_a_bucket_the_page_speaks_of_none(tmp_path: Path) -> None:
    for _ in range(2):  # a page of its own is overwritten
        assert iam_policy("--for", "plan", "--env", "dev", "--out", str(tmp_path), state=str(tmp_path)) == 0
    assert "bucket" not in (tmp_path / PAGE).read_text()
