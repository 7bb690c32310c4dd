from __future__ import annotations

import io
from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.config import load
from tapctl.errors import WrongTarget
from tapctl.manifest import open_store
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, run_id, short_identity
from tests.manifest.examples import entry, manifest


@pytest.mark.parametrize(
    ("arn", "identity"),
    [
        ("sts::1:assumed-role/AWSReservedSSO_Admin_0f/dana", "sso:dana"),
        ("sts::1:assumed-role/deploy/ci-42", "role/deploy"),
        ("iam::1:user/team/alice", "user/team/alice"),
        ("iam::1:root", "root"),
    ],
)
def test_an_identity_is_shown_in_a_word(arn: str, identity: str) -> None:
    assert short_identity(Identity("1", f"arn:aws:{arn}")) == identity


REAL, EMBEDDED = Connection("us-east-2"), Connection("us-east-2", endpoint_url="http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("targets", "endpoint", "refused"),
    [
        ((REAL, REAL), "", ""),
        ((EMBEDDED, EMBEDDED), "", ""),
        ((REAL, EMBEDDED), "", "is of the real AWS, this is the embedded one"),
        ((EMBEDDED, REAL), "", "is of the embedded AWS, this is the real one"),
        ((EMBEDDED, REAL), "http://127.0.0.1:1", ""),
        ((None, EMBEDDED), "", ""),
    ],
)
def test_a_record_of_the_embedded_aws_is_not_taken_for_the_real_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    targets: tuple[Connection | None, Connection],
    endpoint: str,
    refused: str,
) -> None:
    written, mine = targets  # the AWS of the record, and the one we are in
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    store, record = open_store(str(tmp_path), None), manifest(entry(), run=run_id(Aws(written)) if written else "")
    store.write(record, None)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    aws = Aws(mine)
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:root")
    target = Target("dev", "dev", account="123456789012", region="us-east-2")
    session = Session(Invocation("drift"), screen, load(Path("environments"), "dev"), target, aws, store, run_id(aws))
    if not refused:
        assert session.load_manifest()[0] == record
        return
    with pytest.raises(WrongTarget, match=refused) as raised:
        session.load_manifest()
    assert "another --state" in str(raised.value.hint)
