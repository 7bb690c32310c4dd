"""The end of an execution that did not get everywhere: what was being done, what AWS goes on with, how to go on."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.config import load
from tapctl.engine.events import Detached, Failed, Finished, Result, Skipped
from tapctl.errors import AwsRefused, LockHeld, NotConverged, Refused, StoreFailed
from tapctl.execution.runner import EngineRunner, root_causes, with_location
from tapctl.manifest import open_store
from tapctl.manifest.journal import Journal
from tapctl.manifest.manifest import empty
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.support.config_folder import ENVIRONMENTS

FUNCTION, CLUSTER = "lambda-function/payment-processor-dev", "db-cluster/db-cluster-dev"
DOING = {FUNCTION: "creating", CLUSTER: "changing"}
COMMAND = "tapctl --sandbox apply --env dev --yes"


def no_room() -> AwsRefused:
    return AwsRefused("rds", "CreateDBInstance", "InsufficientDBInstanceCapacity", "no room", request_id="r1")


def test_an_answer_of_aws_is_told_with_what_was_being_done() -> None:
    error = with_location([Failed(FUNCTION, no_room(), 1)], DOING)
    assert error.cause == "creating lambda-function payment-processor-dev"
    assert error.evidence == "InsufficientDBInstanceCapacity on rds:CreateDBInstance: no room (request r1)"
    assert "run the same command again" in str(error.hint)


def test_the_evidence_of_an_error_stays_under_its_cause() -> None:
    refused = no_room()
    refused.evidence = "AWS has said so for 121 s"
    assert (
        str(with_location([Failed(FUNCTION, refused, 1)], DOING).evidence).splitlines()[1]
        == "AWS has said so for 121 s"
    )


def test_one_cause_of_many_names_them_all() -> None:
    error = with_location([Failed(CLUSTER, no_room(), 1), Failed(FUNCTION, no_room(), 1)], DOING)
    assert error.cause == "changing db-cluster db-cluster-dev, lambda-function payment-processor-dev"


def test_credentials_that_ran_out_are_one_cause_whatever_was_asked_for() -> None:
    expired = [AwsRefused(service, "Describe", "ExpiredToken", "expired") for service in ("rds", "iam")]
    failed = [Failed(CLUSTER, expired[0], 1), Failed(FUNCTION, no_room(), 1), Failed(FUNCTION, expired[1], 1)]
    assert [len(each) for each in root_causes(failed)] == [2, 1]


def test_an_error_that_names_its_resource_stays_as_it_is() -> None:
    own = NotConverged(f"{FUNCTION} did not get there in time", evidence="e", hint="h")
    error = with_location([Failed(FUNCTION, own, 1)], DOING)
    assert (error.cause, error.evidence, error.hint) == (f"{FUNCTION} did not get there in time", "e", "h")


class _Lease:
    id = "l"

    def ensure_held(self) -> None:
        """Hold the lock: it is ours."""

    def assert_valid(self) -> None:
        """Find the lock valid, without asking."""

    def set_phase(self, phase: str) -> None:
        """Tell nobody of the phase."""


@pytest.fixture
def runner(tmp_path: Path) -> EngineRunner:
    config = load(ENVIRONMENTS, "dev")
    screen = choose_screen(io.StringIO(), io.StringIO(), {}, json=False, no_color=True)
    store = open_store(str(tmp_path), None)
    run = Session(
        Invocation("apply", command=COMMAND), screen, config, Target("dev", "dev"), Aws(Connection("us-east-2")), store
    )
    run.aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:user/dana")
    base = empty(environment="dev", suffix="dev", account="123456789012", region="us-east-2")
    made = EngineRunner(run, Journal(store, base, None), _Lease())
    made.activity = dict(DOING)
    return made


def said(runner: EngineRunner) -> tuple[int, str]:
    code = runner.report_failures()
    stream: io.StringIO = vars(vars(runner.session.screen)["err"])["stream"]
    return code, stream.getvalue()


def test_the_end_says_what_was_done_what_aws_goes_on_with_and_how_to_go_on(runner: EngineRunner) -> None:
    runner.outcome.finished["sns-topic/t"] = Finished("sns-topic/t", Result.CREATED, 1)
    runner.outcome.failed.append(Failed(FUNCTION, no_room(), 1, "Active"))
    runner.outcome.detached.append(Detached(CLUSTER, "creating", at_work=True))
    runner.outcome.skipped.append(Skipped("db-instance/i", (FUNCTION,)))
    runner.session.aws.call_log.accepted = 1
    code, told = said(runner)
    assert code == 4
    assert "1 made or changed, 1 failed, 1 left while AWS is at work, 1 not tried; the manifest is up to date" in told
    assert f"AWS is still at work on {CLUSTER} (creating). To go on: {COMMAND}" in told
    assert f"{FUNCTION} (Active)" not in told


def test_stopped_by_a_signal_it_names_the_calls_in_flight(runner: EngineRunner) -> None:
    runner.outcome.signal = 15
    runner.session.aws.call_log.in_flight.append("rds:CreateDBCluster")
    code, told = said(runner)
    assert code == 143
    assert f"stopped by SIGTERM; calls still in flight: rds:CreateDBCluster. To go on: {COMMAND}" in told


@pytest.mark.parametrize(
    ("error", "changed", "code"),
    [
        (LockHeld("taken"), 1, 5),
        (no_room(), 0, 1),
        (no_room(), 1, 4),
        (AwsRefused("rds", "X", "AccessDenied", "no"), 0, 6),
        (Refused(f"{FUNCTION} is not ours"), 0, 6),
    ],
)
def test_the_exit_status_says_whether_anything_was_changed(
    runner: EngineRunner, error: Refused | AwsRefused | LockHeld, changed: int, code: int
) -> None:
    runner.outcome.failed.append(Failed(FUNCTION, error, 1))
    runner.session.aws.call_log.accepted = changed
    assert said(runner)[0] == code


def test_an_execution_that_was_left_has_not_converged(runner: EngineRunner) -> None:
    assert said(runner)[0] == 4


def test_a_record_that_cannot_be_saved_anywhere_promises_no_copy(
    runner: EngineRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = tmp_path / "a file"
    nowhere.touch()
    monkeypatch.setattr(tempfile, "tempdir", str(nowhere))
    monkeypatch.setattr(Path, "cwd", lambda: nowhere)
    runner.outcome.failed.append(Failed(FUNCTION, StoreFailed("the manifest could not be written"), 1))
    runner.session.aws.call_log.accepted = 1
    code, told = said(runner)
    assert code == 4
    assert "no rescue copy of the manifest could be written" in told
    assert "the record was saved to" not in told
