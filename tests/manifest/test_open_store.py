from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.errors import UsageError
from tapctl.manifest import open_store


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("./manifests", "manifests/dev.json"),
        ("/var/lib/state", "/var/lib/state/dev.json"),
        ("s3", "s3/dev.json"),
        ("records/2026-team_a", "records/2026-team_a/dev.json"),
        (".state/records/", ".state/records/dev.json"),
        ("../records of the team", "../records of the team/dev.json"),
        ("./v1.2/null", "v1.2/null/dev.json"),
        (".", "dev.json"),
        ("s3://records", "s3://records/dev.json"),
        ("s3://records/", "s3://records/dev.json"),
        ("s3://records/team/payments", "s3://records/team/payments/dev.json"),
        ("s3://records/team/payments//", "s3://records/team/payments/dev.json"),
        ("s3://records/team?sse=aws:kms&key=alias/state&owner=123456789012", "s3://records/team/dev.json"),
        ("s3://records?sse=AES256", "s3://records/dev.json"),
    ],
)
def test_a_state_is_a_folder_or_a_place_in_s3(aws: Aws, url: str, location: str) -> None:
    assert open_store(url, aws).location("dev") == location


@pytest.mark.parametrize(
    "url",
    [
        *("", "  ", "a\0b", "s3://", "s3:/records/x", "s3://Records", "s3://ab", "s3://records/a//b"),
        *("file:///tmp/x", "https://example.com/x", "s3://records/a b", "s3://records?x=1"),
        *(
            "s3://records?sse=none",
            "s3://records?sse=aws:kms&sse=AES256",
            "s3://records?key=alias/x",
            "s3://records?owner=1",
        ),
        *(
            "s3://records?sse=AES256&key=alias/x",
            "s3://records?sse=aws:kms&key=a b",
            "s3://?sse=AES256",
            "x:/a?sse=AES256",
        ),
        # What may be a slip of a place is no folder.
        *('"s3://records/p"', "'s3://records/p'", "<s3://records/p>", "[s3://records/p]", "`echo s3://records/p`"),
        *(
            "\ufeffs3://records/p",
            "\u200bs3://records/p",
            "s3://records/p\u00a0",
            "manifests\u200b",
            "s3\uff1a//records",
        ),
        *(
            "TAPCTL_STATE=s3://records/p",
            "=s3://records/p",
            "@s3",
            "s3a//records/p",
            "s3 ://records/p",
            "aws:s3:records",
        ),
        *("%TAPCTL_STATE%", "{{ vars.STATE }}", "#{state}#", "((state))", "__state__|x", "<no value>", "~/records"),
        *("undefined", "null", "None", "s3.amazonaws.com/records/p", "records.s3.us-east-2.amazonaws.com/p"),
        *("s3:\\\\records\\p", "$STATE", "./$STATE", "./records ", "/records\n", "a//b", "a/../b"),
    ],
)
def test_any_other_state_is_a_wrong_call(aws: Aws, url: str) -> None:
    with pytest.raises(UsageError) as refused:
        open_store(url, aws)
    hint = str(refused.value.hint)
    assert hint.startswith("use a folder such as ./manifests, or s3://bucket/prefix, or ")
    assert hint.endswith("is written with ./ or / before it")


def test_a_state_in_s3_needs_a_client() -> None:
    with pytest.raises(UsageError, match="is in AWS"):
        open_store("s3://records/x", None)


def test_a_folder_needs_no_aws_library(tmp_path: Path) -> None:
    code = (
        "import sys; from tapctl.manifest import open_store; from tapctl.manifest import journal\n"
        f"open_store({str(tmp_path)!r}, None).read('dev')\n"
        "sys.exit(any(name in sys.modules for name in ('boto3', 'botocore')))"
    )
    command = [sys.executable, "-c", code]
    assert subprocess.run(command, check=False).returncode == 0
