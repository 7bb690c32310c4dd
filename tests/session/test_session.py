from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.config import load
from tapctl.engine.estimate import Durations, Operation
from tapctl.errors import WrongTarget
from tapctl.manifest import open_store
from tapctl.manifest.manifest import AwsKind
from tapctl.render import choose_screen
from tapctl.render.jsonl import JsonScreen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session, open_session, short_identity
from tests.manifest.examples import entry, manifest
from tests.support.config_folder import ENVIRONMENTS


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


def session(folder: Path, *, sandbox: bool) -> Session:
    """A session on the manifests in this folder, against the sandbox or not."""
    aws = Aws(Connection("us-east-2", endpoint_url="http://127.0.0.1:1" if sandbox else None))
    aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:root")
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    store = open_store(str(folder), None)
    target = Target("dev", "dev", account="123456789012", region="us-east-2")
    return Session(Invocation("drift"), screen, load(ENVIRONMENTS, "dev"), target, aws, store)


@pytest.fixture(params=["", "http://127.0.0.1:1"], ids=["no-endpoint", "endpoint"])
def endpoint(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The endpoint that the user's own environment names."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", request.param)
    return str(request.param)


@pytest.mark.parametrize("sandbox", [False, True])
@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"run": "1"}, "real"),
        ({"run": "1", "aws": AwsKind.SANDBOX}, "embedded"),
        ({"run": "1", "aws": AwsKind.ENDPOINT}, ""),
        # As tapctl wrote them before manifests had the field.
        ({"run": "embedded-1"}, "embedded"),
        ({"run": "endpoint-1"}, ""),
        ({"run": ""}, ""),
    ],
)
def test_a_manifest_of_the_sandbox_is_refused_in_the_real_aws_and_the_other_way_round(
    tmp_path: Path, endpoint: str, *, fields: dict[str, str | AwsKind], kind: str, sandbox: bool
) -> None:
    stored = manifest(entry()).model_copy(update=fields)
    open_store(str(tmp_path), None).write(stored, None)
    reader = session(tmp_path, sandbox=sandbox)
    ours = "embedded" if sandbox else "" if endpoint else "real"
    if {kind, ours} != {"embedded", "real"}:
        assert reader.load_manifest()[0] == stored
        return
    with pytest.raises(WrongTarget, match=f"is of the {kind} AWS, this is the {ours} one") as refused:
        reader.load_manifest()
    assert "another --state" in str(refused.value.hint)


@pytest.mark.parametrize("sandbox", [False, True])
def test_every_write_records_the_kind_of_aws_and_only_the_real_one_by_silence(
    tmp_path: Path, endpoint: str, *, sandbox: bool
) -> None:
    writer = session(tmp_path, sandbox=sandbox)
    writer.journal(manifest().model_copy(update={"aws": AwsKind.ENDPOINT}), None).put(entry("two"))
    stored = json.loads((tmp_path / "dev.json").read_text())
    assert stored.get("aws") == ("sandbox" if sandbox else "endpoint" if endpoint else None)


def test_the_time_at_a_question_is_not_the_commands() -> None:
    out = io.StringIO()
    screen = choose_screen(out, io.StringIO(), {}, verb="apply", json=True, stdin=io.StringIO("yes\n"))
    assert isinstance(screen, JsonScreen)
    assert screen.ask("Apply?", "yes")
    assert screen.asked_s == screen.asking.seconds > 0
    screen.asking.seconds = 1e9
    Invocation("apply").finish(screen, None)
    assert json.loads(out.getvalue().splitlines()[-1])["elapsed_s"] == 0


def test_a_record_of_the_embedded_aws_says_so_where_nobody_is_logged_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "nothing"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    screen = choose_screen(io.StringIO(), io.StringIO(), {"TERM": "dumb"})
    command = "tapctl drift --env dev"
    invocation = Invocation("drift", "dev", config=ENVIRONMENTS, state=str(tmp_path), command=command)
    with pytest.raises(WrongTarget, match="there are no usable AWS credentials"):
        open_session(invocation, screen)
    open_store(str(tmp_path), None).write(manifest().model_copy(update={"aws": AwsKind.SANDBOX}), None)
    with pytest.raises(WrongTarget) as told:
        open_session(invocation, screen)
    assert told.value.cause == "dev is in the embedded AWS, and --sandbox is not there"
    assert "there are no usable AWS credentials" in str(told.value.evidence)
    assert told.value.hint == f"run it there: {command} --sandbox"


def test_durations_that_cannot_be_kept_are_a_warning(tmp_path: Path) -> None:
    run, stderr = session(tmp_path, sandbox=False), io.StringIO()
    run.screen = choose_screen(io.StringIO(), stderr, {"TERM": "dumb"})
    run.write_durations(Durations({"db-cluster": {Operation.CREATE: (180.0,)}}))
    assert (run.read_durations().measured, stderr.getvalue()) == ({"db-cluster": {Operation.CREATE: (180.0,)}}, "")
    (tmp_path / "dev.durations.json").unlink()
    (tmp_path / ".dev.durations.json.tmp").mkdir()
    run.write_durations(Durations())
    assert stderr.getvalue().startswith("warning: how long it took could not be kept: ")
