"""The workflows that ``ci init`` writes: as others read them, and as the linters of GitHub's workflows do."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
import yaml

from tapctl.cli import run
from tapctl.commands.ci import _TEMPLATES
from tests.support.config_folder import Folder

Done = subprocess.CompletedProcess[str]
FILES = ("tapctl-plan.yml", "tapctl-apply.yml", "tapctl-drift.yml")


class Called(NamedTuple):
    code: int
    err: str


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def called(*arguments: str, typed: str | None = None) -> Called:
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err), pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO() if typed is None else _Terminal(typed))
        patch.delenv("CI", raising=False)  # under which nobody is asked
        code = run([*arguments])
    return Called(code, err.getvalue())


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    Folder(tmp_path / "environments")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def workflows(repository: Path) -> Path:
    assert called("ci", "init", "github").code == 0
    return repository / ".github" / "workflows"


def _steps(workflows: Path) -> Iterator[dict[str, Any]]:
    for name in FILES:
        for job in yaml.safe_load((workflows / name).read_text())["jobs"].values():
            yield from job["steps"]


def test_every_action_is_pinned_by_a_commit_and_no_workflow_has_rights_of_its_own(workflows: Path) -> None:
    used = [step["uses"] for step in _steps(workflows) if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each) for each in used)
    for name in FILES:
        workflow = yaml.safe_load((workflows / name).read_text())
        assert workflow["permissions"] == {}
        for job in workflow["jobs"].values():
            written = [right for right, level in job["permissions"].items() if level == "write"]
            # No job that assumes a role may write to the repository, nor the other way round.
            assert len(written) <= 1, (name, job["name"])


def test_no_command_of_a_workflow_has_another_s_text_in_it(workflows: Path) -> None:
    assert [step["run"] for step in _steps(workflows) if "${{" in step.get("run", "")] == []


def test_a_merge_applies_the_plan_of_the_reviewed_commit_in_a_protected_environment(workflows: Path) -> None:
    job = yaml.safe_load((workflows / "tapctl-apply.yml").read_text())["jobs"]["apply"]
    assert job["environment"] == "${{ matrix.environment }}"
    command = 'tapctl apply --env "$ENVIRONMENT" --plan "plan/$ENVIRONMENT.json"'
    assert command in job["steps"][-1]["run"]


_SET = {"TAPCTL_STATE": "s3://b", "TAPCTL_REGION": "us-east-1", "TAPCTL_READER_ROLES": "{}", "ROLE": "r"}
_SET |= {f"TAPCTL_{role}_ROLE": "r" for role in ("STATUS", "CHANGER", "COPIES", "READER")}
_SET |= {"TAPCTL_BOT_TOKEN": "t", "AWS_DEFAULT_REGION": "us-east-1", "PATH": os.environ["PATH"]}


def _ended(script: str, values: dict[str, str]) -> Done:
    """Run the script as both systems do."""
    shell = shutil.which("bash")
    assert shell
    command = [shell, "-e", "-o", "pipefail", "-c", script]
    return subprocess.run(command, env=values, capture_output=True, text=True, check=False)


def test_no_failure_before_a_pipe_is_taken_for_nothing(workflows: Path, repository: Path) -> None:
    for name in FILES:
        assert yaml.safe_load((workflows / name).read_text())["defaults"] == {"run": {"shell": "bash"}}
    assert [step for step in _steps(workflows) if "shell" in step] == []
    assert called("ci", "init", "gitlab").code == 0
    pipeline = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())
    assert pipeline[".tapctl"]["before_script"][0] == "set -e -o pipefail"
    jobs = {name: job for name, job in pipeline.items() if isinstance(job, dict) and "stage" in job}
    assert [name for name, job in jobs.items() if {"before_script", "after_script"} & {*job}] == []
    # What ends early breaks the pipe of what writes into it, now and then.
    texts = [path.read_text() for path in (*workflows.iterdir(), repository / ".gitlab-ci.yml")]
    assert [line for text in texts for line in text.splitlines() if re.search(r"\| (head|grep -q)", line)] == []


def test_a_job_of_github_s_ends_before_it_has_a_role_where_a_variable_is_not_set(workflows: Path) -> None:
    checked = set()
    for name in FILES:
        for job in yaml.safe_load((workflows / name).read_text())["jobs"].values():
            if all("configure-aws-credentials" not in step.get("uses", "") for step in job["steps"]):
                continue
            script, given = job["steps"][0]["run"], job["steps"][0]["env"]
            assert _ended(script, _SET).returncode == 0
            for variable in ("TAPCTL_STATE", *given):
                done = _ended(script, _SET | {variable: ""})
                assert done.returncode != 0
                assert f"{variable}: " in done.stderr
            (assumes,) = [step["with"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
            assert {assumes["role-to-assume"], assumes["aws-region"]} <= {*given.values()}
            checked.add(job["name"])
    assert len(checked) == 5  # two jobs list the environments


@pytest.mark.parametrize("job", ["plan", "apply", "drift", "copies"])
def test_a_job_of_gitlab_s_ends_before_it_touches_anything_where_a_variable_is_not_set(
    repository: Path, job: str
) -> None:
    assert called("ci", "init", "gitlab").code == 0
    pipeline = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())
    tools = repository / "bin"
    tools.mkdir()
    for tool, leaves in (("tapctl", "said"), ("curl", "said"), ("apt-get", "touched"), ("pip", "touched")):
        (tools / tool).write_text(f"#!/bin/sh\ntouch {leaves}\n")
        (tools / tool).chmod(0o755)
    script = "\n".join([*pipeline[".tapctl"]["before_script"], *pipeline[job]["script"]])
    assert not re.findall(r"\$(?:TAPCTL_\w+_ROLE|\{TAPCTL_\w+_ROLE\})", script), "each ends the job where it is empty"
    values = _SET | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    first = ["TAPCTL_STATE", "AWS_DEFAULT_REGION", *["TAPCTL_BOT_TOKEN"] * (job != "copies")]
    for variable in first:
        done = _ended(script, values | {variable: "", "AWS_WEB_IDENTITY_TOKEN_FILE": "token"})
        assert (done.returncode != 0, f"{variable}: is not set" in done.stderr) == (True, True)
        assert Path("touched").exists() == (variable == "TAPCTL_BOT_TOKEN"), "what is installed alone"
    assert not Path("said").exists()


MESSAGE = """Smaller logs: tapctl-allow: dev in a sentence permits nothing.\r
tapctl-allow: dev log-group//aws/lambda/payment-processor-dev\r
tapctl-allow: dev sns-subscription/alarms-dev/https://events.example.com/#24ad362987ecbcb9
  tapctl-allow:  dev   sns-subscription/alarms-dev/email:o'n&call~%1!{$(*)}@example.com\t
tapctl-allow: prod db-cluster/db-cluster-prod
"""
PLANNING = ["github", "github-apply", "gitlab"]


def _planned(repository: Path, system: str, message: str) -> tuple[Done, list[str]]:
    """Run the step that plans dev by this message; returns the words that tapctl was given, too."""
    system, _, step_of = system.partition("-")
    assert called("ci", "init", system).code == 0
    program = repository / "bin" / "tapctl"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@" > said\necho {} > now.json\n')
    program.chmod(0o755)
    if system == "github":
        scripts = [step.get("run", "") for step in _steps(repository / ".github" / "workflows")]
    else:
        scripts = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["plan"]["script"]
    out = "now.json" if step_of else "--expires"
    (script,) = [each for each in scripts if "tapctl plan --env" in each and out in each]
    (repository / "message").write_text(message)
    if step_of:
        (repository / "plan").mkdir()
        (repository / "plan" / "dev.json").write_text("{}")
    git = shutil.which("git")
    assert git
    subprocess.run([git, "init", "--quiet"], check=True)
    author = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    subprocess.run([git, *author, "commit", "--quiet", "--allow-empty", "--message", message], check=True)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    values = {"PATH": path, "ENVIRONMENT": "dev", "HEAD": "HEAD", "CI_COMMIT_MESSAGE": message}
    done = _ended(script, values | {"TAPCTL_CONFIG": "environments"})
    return done, Path("said").read_text().splitlines() if Path("said").exists() else []


@pytest.mark.parametrize("system", PLANNING)
def test_a_permit_is_a_line_of_the_reviewed_commit_s_message_for_one_environment(repository: Path, system: str) -> None:
    done, said = _planned(repository, system, MESSAGE)
    assert done.returncode == 0, done.stderr
    assert said[:9] == [
        "plan",
        "--env",
        "dev",
        "--allow",
        "log-group//aws/lambda/payment-processor-dev",
        "--allow",
        "sns-subscription/alarms-dev/https://events.example.com/#24ad362987ecbcb9",
        "--allow",
        "sns-subscription/alarms-dev/email:o'n&call~%1!{$(*)}@example.com",
    ]
    assert "--allow" not in said[9:]


@pytest.mark.parametrize(
    "line",
    [
        "tapctl-allow: dev --yes of-two-words",
        "tapctl-allow: dev db-cluster/$(touch pwned)",
        "tapctl-allow: dev",
        "tapctl-allow: db-cluster/db-cluster-dev",
        "tapctl-allow: devv db-cluster/db-cluster-dev",
        "tapctl-allow dev db-cluster/db-cluster-dev",
        "tapctl-allow:dev db-cluster/db-cluster-dev",
        "Tapctl-Allow: dev db-cluster/db-cluster-dev",
        "tapctl-allow: common db-cluster/db-cluster-dev",
        "tapctl-allow: ../environments/dev db-cluster/db-cluster-dev",
        "- tapctl-allow: dev db-cluster/db-cluster-dev",
        "`tapctl-allow: dev db-cluster/db-cluster-dev`",
        *(
            pytest.param(line, marks=pytest.mark.soak)
            for line in (
                "tapctl_allow: dev db-cluster/db-cluster-dev",
                "tapctl --allow db-cluster/db-cluster-dev",
                "tapctl-allow: waivers db-cluster/db-cluster-dev",
                "- [x] tapctl-allow: dev db-cluster/db-cluster-dev",
                "1. tapctl-allow: dev db-cluster/db-cluster-dev",
                "> tapctl-allow: dev db-cluster/db-cluster-dev",
                "\N{NO-BREAK SPACE}tapctl-allow: dev db-cluster/db-cluster-dev",
                "tapctl-allow:\N{NO-BREAK SPACE}dev db-cluster/db-cluster-dev",
                "tapctl\N{NON-BREAKING HYPHEN}allow: dev db-cluster/db-cluster-dev",
            )
        ),
    ],
)
@pytest.mark.parametrize("system", ["github", *(pytest.param(each, marks=pytest.mark.soak) for each in PLANNING[1:])])
def test_a_line_that_looks_like_a_permit_and_is_none_is_a_stop(repository: Path, system: str, line: str) -> None:
    (repository / "environments" / "waivers.toml").write_text("")
    done, said = _planned(repository, system, f"Smaller logs.\n\n{line}\n")
    assert (done.returncode, said) == (1, [])
    assert "line 3 of the reviewed commit's message permits nothing: it is not tapctl-allow: ENV" in done.stdout


_RENDERS = f"""case "$1" in render) [ -f real ] && exec {sys.executable} -m tapctl "$@"; exec cat "$2" ;; esac
"""
"""Of a script that stands for tapctl: the run's lines, or where a test wants it what tapctl makes of them."""


def _night(repository: Path, system: str, said: str, code: int) -> subprocess.CompletedProcess[str]:
    """Run the step that looks, with a tapctl that answers this."""
    assert called("ci", "init", system).code == 0
    program = repository / "bin" / "tapctl"
    program.parent.mkdir()
    (repository / "said.jsonl").write_text(said)
    program.write_text(f"#!/bin/sh\n{_RENDERS}cat {repository}/said.jsonl\nexit {code}\n")
    program.chmod(0o755)
    if system == "github":
        job = yaml.safe_load((repository / ".github/workflows/tapctl-drift.yml").read_text())["jobs"]
        steps = [step.get("run", "") for part in ("environments", "drift") for step in job[part]["steps"]]
    else:
        steps = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["drift"]["script"]
    wanted = "tapctl status" if said.startswith('{"type": "status"') else "tapctl drift --env"
    (script,) = [each for each in steps if wanted in each]
    (repository / "drift").mkdir()
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    values = {"PATH": path, "ENVIRONMENT": "staging", "TAPCTL_CONFIG": "environments", "GITHUB_OUTPUT": "output"}
    return _ended(script, values)


with_jq = pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")


@with_jq
def test_the_night_looks_at_every_environment_that_has_a_record_or_a_file(repository: Path) -> None:
    rows = [
        {"type": "status", "suffix": suffix, "env": env}
        for suffix, env in (("old", "old"), ("pr-1", "dev"), ("pr-2", "staging"))
    ]
    verdict = {"type": "verdict", "counts": {"deployed": 2}}
    done = _night(repository, "github", "".join(f"{json.dumps(one)}\n" for one in (*rows, verdict)), 7)
    assert done.returncode == 0, done.stderr
    list_, copies = Path("output").read_text().splitlines()
    assert list_ == 'list=["dev","old","prod","staging"]'
    assert copies == 'copies=["dev pr-1","staging pr-2"]'


@with_jq
@pytest.mark.parametrize("unseen", ["unusable", "not_asked", "unseen"])
def test_github_s_night_is_red_where_it_cannot_tell_what_copies_there_are(repository: Path, unseen: str) -> None:
    row = {"type": "status", "suffix": "dev", "env": "dev"}
    verdict = {"type": "verdict", "counts": {"deployed": 1, unseen: 1}, "summary": "not asked where pr-9 is"}
    done = _night(repository, "github", "".join(f"{json.dumps(one)}\n" for one in (row, verdict)), 7)
    assert (done.returncode, "not asked where pr-9 is" in done.stdout) == (1, True), done.stderr
    assert not Path("output").exists()


_OBEYED = "We are sorry\n::stop-commands::x\r##[error]x\x1b[2J"


@with_jq
@pytest.mark.parametrize("system", ["github", "github-plan", "gitlab"])
def test_the_log_of_a_pipeline_has_no_text_of_others_that_a_terminal_or_a_ci_system_obeys(
    repository: Path, system: str
) -> None:
    (repository / "real").touch()
    common = {"env": "", "suffix": ""}
    version = {"type": "version", "ui": "1.0", "tapctl": "0.1.0", "verb": "status", "account": "", "region": ""}
    error = {"type": "error", "code": "aws-failed", "message": _OBEYED, "why": _OBEYED, "hint": _OBEYED, "aws": None}
    verdict = {"type": "verdict", "verb": "status", "status": "FAILED", "exit": 1, "counts": {}, "summary": _OBEYED}
    said: list[dict[str, Any]] = [
        common | version | {"config_hash": "", "identity": ""},
        common | error | {"retry_safe": True, "state": "nothing was changed"},
        common | verdict | {"elapsed_s": 5.5, "api_calls": 1, "changing_calls": 0, "manifest": ""},
    ]
    if system == "gitlab":
        done = _copies(repository, system, said)
    else:
        (repository / "said.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in said))
        workflow = "tapctl-plan.yml" if system == "github-plan" else "tapctl-drift.yml"
        done = _step(repository, workflow, "tapctl status", {}, f"{_RENDERS}cat said.jsonl")
    assert (done.returncode, done.stdout.count("We are sorry") >= 1) == (1, True), done.stderr
    told = [
        line for line in done.stdout.split("\n") if line != "::error::what is deployed cannot be told, as said above"
    ]
    assert [line for line in told if line.startswith(("::", "##["))] == []
    assert not {"\r", "\x1b"} & set(done.stdout)


@with_jq
@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        ({"type": "verdict", "exit": 7, "counts": {"deployed": 1}}, 0),
        ({"type": "verdict", "exit": 3, "counts": {}}, 0),
        ({"type": "verdict", "exit": 1, "counts": {}}, 1),
        ({"type": "span"}, 1),
    ],
    ids=["not well", "no record yet", "no answer", "cut off"],
)
def test_a_pull_request_is_not_planned_where_nobody_can_tell_what_is_deployed(
    repository: Path, verdict: dict[str, Any], code: int
) -> None:
    rows = [{"type": "status", "suffix": name, "env": name} for name in ("old",)] if verdict.get("exit") == 7 else []
    (repository / "told.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in (*rows, verdict)))
    (repository / "names.jsonl").write_text(json.dumps({"type": "output", "name": "dev"}))
    tapctl = '[ "$1" = status ] || exec cat names.jsonl; cat told.jsonl; exit 7'
    done = _step(repository, "tapctl-plan.yml", "tapctl status", {}, tapctl)
    assert done.returncode == code, done.stderr
    assert _lines("output") == (
        [] if code else [f"list={json.dumps(['dev', *['old'] * len(rows)], separators=(',', ':'))}"]
    )


_ROWS = [{"type": "status", "suffix": suffix, "env": env} for suffix, env in (("dev", "dev"), ("old", "old"))]
_COPIES = [{"type": "status", "suffix": suffix, "env": "dev"} for suffix in ("pr-1", "pr-2", "pr-3")]
_LISTED = {"type": "verdict", "counts": {"deployed": 5}}
_LOOK = f"""#!/bin/sh
{_RENDERS}echo "$AWS_ROLE_ARN $*" >> said
case "$1 $5" in
"status ") cat told.jsonl; exit 7 ;;
"drift pr-2") exit 7 ;;
esac
cat > /dev/null
"""


def _copies(repository: Path, system: str, status: list[dict[str, Any]]) -> Done:
    """Run the job that looks at copies, of which pr-2 cannot be compared."""
    assert called("ci", "init", system).code == 0
    program = repository / "bin" / "tapctl"
    program.parent.mkdir()
    program.write_text(_LOOK)
    program.chmod(0o755)
    (repository / "told.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in status))
    values = {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
    if system == "github":
        job = yaml.safe_load((repository / ".github/workflows/tapctl-drift.yml").read_text())["jobs"]["copies"]
        assert job["if"] == "needs.environments.outputs.copies != '[]'"
        script = job["steps"][-1]["run"]
        listed = [f"{one['env']} {one['suffix']}" for one in status if one in _COPIES]
        values |= {"COPIES": json.dumps(listed), "AWS_ROLE_ARN": "reads-copies"}
    else:
        script = "\n".join(yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["copies"]["script"])
        values |= {"TAPCTL_STATUS_ROLE": "lists", "TAPCTL_COPIES_ROLE": "reads-copies"}
    return _ended(script, values)


@with_jq
@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_the_night_compares_every_copy_and_one_that_is_not_as_recorded_makes_it_red(
    repository: Path, system: str
) -> None:
    done = _copies(repository, system, [*_ROWS, *_COPIES, _LISTED])
    said = [line for line in Path("said").read_text().splitlines() if " drift " in line]
    # What has lost its file is in no matrix of GitLab's; GitHub's has it from the list.
    looked_at = [("old", "old")] * (system == "gitlab") + [("dev", f"pr-{number}") for number in (1, 2, 3)]
    assert said == [f"reads-copies drift --env {env} --suffix {suffix} --who" for env, suffix in looked_at]
    assert (done.returncode, "pr-2" in done.stdout, "pr-3" in done.stdout) == (1, True, False), done.stderr


@with_jq
@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (_LISTED, 0),
        ({"type": "verdict", "counts": {"deployed": 1, "unusable": 1}}, 1),
        ({"type": "verdict", "counts": {"deployed": 1, "not_asked": 1}, "summary": "not asked where pr-9 is"}, 1),
        ({"type": "error"}, 1),
    ],
    ids=["none", "a record that cannot be used", "a place that could not be asked", "cut off"],
)
def test_gitlab_s_night_is_red_where_it_cannot_tell_what_copies_there_are(
    repository: Path, verdict: dict[str, Any], code: int
) -> None:
    done = _copies(repository, "gitlab", [_ROWS[0], verdict])
    assert (done.returncode, Path("said").read_text()) == (code, "lists status --json\n"), done.stderr


@with_jq
@pytest.mark.parametrize("system", ["github", "gitlab"])
@pytest.mark.parametrize(
    ("counts", "code"), [({"there": 0}, 0), ({"there": 24}, 3), ({}, 3)], ids=["never made", "lost", "unknown"]
)
def test_a_night_without_a_record_is_red_unless_nothing_is_in_aws_either(
    repository: Path, system: str, counts: dict[str, int], code: int
) -> None:
    verdict = {"type": "verdict", "status": "FAILED", "exit": 3, "counts": counts}
    done = _night(repository, system, f"{json.dumps(verdict)}\n", 3)
    assert (done.returncode, "it was never applied" in done.stdout) == (code, code == 0), done.stderr
    if system == "github":
        assert (repository / "drift").exists() == (code != 0), "no look, no issue"


@pytest.mark.parametrize("linter", [["actionlint"], ["zizmor", "--offline", "--min-severity", "medium"]])
def test_the_linters_of_workflows_find_nothing(workflows: Path, linter: list[str]) -> None:
    program = shutil.which(linter[0], path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if program is None:
        pytest.skip(f"{linter[0]} is not installed")
    files = [str(workflows / name) for name in FILES]
    done = subprocess.run([program, *linter[1:], *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_is_there_is_overwritten_only_where_that_is_said(workflows: Path) -> None:
    plan = workflows / "tapctl-plan.yml"
    assert called("ci", "init", "github").code == 0, "the same file again is no loss"
    plan.write_text("mine\n")
    asked = called("ci", "init", "github")
    assert (asked.code, plan.read_text()) == (64, "mine\n")
    assert "tapctl ci init github --yes" in asked.err
    assert called("ci", "init", "github", typed="no\n").code == 6
    assert plan.read_text() == "mine\n"
    assert called("ci", "init", "github", "--yes").code == 0
    assert plan.read_text().startswith("# Written by tapctl ci init github")
    plan.unlink()
    plan.write_bytes(b"\xff")
    assert called("ci", "init", "github").code == 64


def test_a_pipe_in_the_place_of_a_file_keeps_nobody_waiting(repository: Path) -> None:
    plan = repository / ".github" / "workflows" / "tapctl-plan.yml"
    plan.parent.mkdir(parents=True)
    os.mkfifo(plan)
    assert called("ci", "init", "github").code == 64
    assert called("ci", "init", "github", "--yes").code == 0
    assert plan.is_file()


def test_below_the_root_of_a_repository_it_is_said_that_nobody_reads_what_is_written(repository: Path) -> None:
    said = "this is no root of a repository, and pipelines are read there alone"
    (repository / ".git").mkdir()
    assert said not in called("ci", "init", "gitlab").err
    (repository / ".git").rename(repository.parent / ".git")
    answer = called("ci", "init", "gitlab")
    (repository.parent / ".git").rmdir()
    assert (answer.code, f"{said}: run it in {repository.parent}" in answer.err) == (0, True)


def test_no_link_is_followed_and_nothing_is_written_beside_one(repository: Path) -> None:
    (repository / "theirs").mkdir()
    (repository / "theirs" / "file").write_text("theirs")
    link = repository / ".github" / "workflows" / "tapctl-drift.yml"
    link.parent.mkdir(parents=True)
    for target in (repository / "theirs" / "file", repository / "nowhere"):
        link.unlink(missing_ok=True)
        link.symlink_to(target)
        asked = called("ci", "init", "github", "--yes")
        assert asked.code == 6
        assert "there is a symbolic link: .github/workflows/tapctl-drift.yml" in asked.err
    shutil.rmtree(repository / ".github")
    (repository / ".github").symlink_to(repository / "theirs")
    assert called("ci", "init", "github", "--yes").code == 6
    assert [path.name for path in (repository / "theirs").iterdir()] == ["file"]
    assert (repository / "theirs" / "file").read_text() == "theirs"


_MERGED = {"iid": 12, "state": "merged", "target_branch": "main", "sha": "h12", "merge_commit_sha": "m12"}
_PLANNED = {"id": 7, "sha": "h12", "source": "merge_request_event", "status": "success"}
_JOB = {"id": 70, "name": "plan: [dev]", "status": "success"}


_CURL = """#!{python}
import json, sys
answers = json.load(open("answers.json"))
answer = answers.get(sys.argv[-1].partition("/projects/1/")[2])
if answer is None:
    sys.exit(22)
print(json.dumps(answer), file=open("plan.json", "w") if "--output" in sys.argv else sys.stdout)
"""


def _after_the_merge(repository: Path, answers: dict[str, Any], commit: str) -> subprocess.CompletedProcess[str]:
    """Run GitLab's job that applies, where its API answers this by the end of the address."""
    assert called("ci", "init", "gitlab").code == 0
    tools = repository / "bin"
    tools.mkdir()
    (repository / "answers.json").write_text(json.dumps(answers))
    (tools / "curl").write_text(_CURL.format(python=sys.executable))
    (tools / "tapctl").write_text("#!/bin/sh\ncat plan.json\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    script = "\n".join(yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["apply"]["script"])
    message = "Merge branch 'x' into 'main'\n\nSee merge request a/b!99\n\nSee merge request a/b!12"
    values = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "ENVIRONMENT": "dev", "CI_COMMIT_MESSAGE": message}
    values |= {"CI_API_V4_URL": "https://gitlab/api/v4", "CI_PROJECT_ID": "1", "CI_DEFAULT_BRANCH": "main"}
    values |= {"CI_COMMIT_SHA": commit, "CI_JOB_TOKEN": "t", "TAPCTL_BOT_TOKEN": "t", "TAPCTL_CHANGER_ROLE": "r"}
    return _ended(script, values)


@with_jq
@pytest.mark.parametrize(
    ("others", "commit", "said"),
    [
        (({}, {}, {}), "m12", ""),
        (({"merge_commit_sha": None, "squash_commit_sha": "s12"}, {}, {}), "s12", ""),
        (({"merge_commit_sha": None, "squash_commit_sha": None}, {}, {}), "h12", ""),
        (({"state": "opened"}, {}, {}), "m12", "no merge request was merged here"),
        (({"target_branch": "other"}, {}, {}), "m12", "no merge request was merged here"),
        (({}, {}, {}), "h12", "no merge request was merged here"),
        (({}, {"sha": "later"}, {}), "m12", "the reviewed commit h12 has no finished plan"),
        (({}, {"source": "push"}, {}), "m12", "the reviewed commit h12 has no finished plan"),
        (({}, {"status": "failed"}, {}), "m12", "the reviewed commit h12 has no finished plan"),
        (({}, {}, {"name": "plan: [prod]"}), "m12", "the reviewed commit h12 has no plan of dev"),
    ],
)
def test_gitlab_applies_the_plan_of_the_merged_commit_whatever_a_message_says(
    repository: Path, others: tuple[dict[str, Any], dict[str, Any], dict[str, Any]], commit: str, said: str
) -> None:
    merged, planned, job = others
    answers = {
        f"repository/commits/{commit}/merge_requests?per_page=100": [_MERGED | merged],
        "merge_requests/12/pipelines?per_page=100": [{**_PLANNED, "sha": "earlier", "id": 6}, _PLANNED | planned],
        "pipelines/7/jobs?per_page=100": [_JOB | job],
        "jobs/70/artifacts/plan-dev.json": "the plan of !12",
    }
    done = _after_the_merge(repository, answers, commit)
    assert (done.returncode, said in done.stdout) == (1 if said else 0, True), done.stderr
    assert ("the plan of !12" in done.stdout) == (not said)


@with_jq
def test_gitlab_applies_nothing_where_its_api_does_not_answer(repository: Path) -> None:
    done = _after_the_merge(repository, {}, "m12")
    assert (done.returncode, done.stdout) == (22, "")


_GH = """#!{python}
import json, subprocess, sys
words = sys.argv[1:]
given = dict(zip(words, words[1:]))
answers = json.load(open("answers.json"))
if words[:2] == ["run", "list"]:
    asked = [(name, given.get(f"--{{name}}")) for name in ("workflow", "event", "commit", "status")]
    answer = [one for one in answers["runs"] if all(value in (None, one[name]) for name, value in asked)]
else:
    answer = answers[next(word for word in words[1:] if word.startswith("repos/"))]
if "--silent" in words:
    sys.exit(0)
subprocess.run(["jq", "-r", given["--jq"]], input=json.dumps(answer), text=True, check=True)
# The next page is what fails.
sys.exit(answers.get("refused") in ("runs" if words[0] == "run" else words[1], words[2]))
"""


def _step(
    repository: Path,
    workflow: str,
    part: str,
    answers: dict[str, Any],
    tapctl: str = "",
    *,
    values: Mapping[str, str] = MappingProxyType({}),
) -> Done:
    """Run the step of a workflow of GitHub that has this in it, where gh gives these answers and tapctl does this."""
    assert called("ci", "init", "github", "--yes").code == 0
    tools = repository / "bin"
    tools.mkdir(exist_ok=True)
    (repository / "answers.json").write_text(json.dumps(answers))
    (tools / "gh").write_text(_GH.format(python=sys.executable))
    (tools / "tapctl").write_text(f"#!/bin/sh\n{tapctl}\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    jobs = yaml.safe_load((repository / ".github/workflows" / workflow).read_text())["jobs"].values()
    (script,) = [step["run"] for job in jobs for step in job["steps"] if part in step.get("run", "")]
    values = {**values, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "GH_REPO": "a/b", "GITHUB_SHA": "m12"}
    values |= {"GITHUB_OUTPUT": "output", "ENVIRONMENT": "dev", "TAPCTL_CONFIG": "environments"}
    return _ended(script, values)


_RUN = {"workflow": "tapctl-plan.yml", "event": "pull_request", "commit": "h12", "status": "success"}
_OURS = {**_RUN, "databaseId": 7, "displayTitle": "tapctl plan of #12 into main"}


@with_jq
@pytest.mark.parametrize(
    ("pulls", "runs", "code", "output"),
    [
        ([{}], [_OURS], 0, 'run=7\nhead=h12\nlist=["dev","prod"]\n'),
        # The same commit is the head of another pull request, whose run is newer; or this one was into another branch.
        (
            [{}],
            [{**_OURS, "databaseId": 9, "displayTitle": "tapctl plan of #13 into release"}, _OURS],
            0,
            'run=7\nhead=h12\nlist=["dev","prod"]\n',
        ),
        ([{}], [{**_OURS, "displayTitle": "tapctl plan of #12 into release"}], 1, ""),
        ([{}], [{**_OURS, "event": "workflow_dispatch"}], 1, ""),
        ([{}], [{**_OURS, "status": "failure"}], 1, ""),
        ([{}], [{**_OURS, "commit": "h11"}], 1, ""),
        ([{"base": {"ref": "release"}}], [_OURS], 0, "list=[]\n"),
        ([{"merged_at": None}], [_OURS], 0, "list=[]\n"),
        ([], [_OURS], 0, "list=[]\n"),
    ],
)
def test_github_takes_the_run_of_the_pull_request_that_was_merged(
    repository: Path, pulls: list[dict[str, Any]], runs: list[dict[str, Any]], code: int, output: str
) -> None:
    merged = {"number": 12, "merged_at": "2026-11-30", "base": {"ref": "main"}, "head": {"sha": "h12"}}
    artifacts = {"artifacts": [{"name": name} for name in ("plan-dev", "plan-prod", "other")]}
    answers: dict[str, Any] = {"repos/a/b/commits/m12/pulls": [merged | each for each in pulls], "runs": runs}
    answers |= {f"repos/a/b/actions/runs/{number}/artifacts": artifacts for number in (7, 9)}
    done = _step(repository, "tapctl-apply.yml", "gh run list", answers)
    assert done.returncode == code, done.stderr
    assert (Path("output").read_text() if output else "") == output
    assert ("has no finished plan" in done.stdout) == (code == 1)


@with_jq
@pytest.mark.parametrize("refused", ["repos/a/b/commits/m12/pulls", "runs", "repos/a/b/actions/runs/7/artifacts"])
def test_github_applies_no_list_of_plans_that_it_could_not_read_to_its_end(repository: Path, refused: str) -> None:
    merged = {"number": 12, "merged_at": "2026-11-30", "base": {"ref": "main"}, "head": {"sha": "h12"}}
    answers: dict[str, Any] = {"repos/a/b/commits/m12/pulls": [merged], "runs": [_OURS]}
    answers |= {"repos/a/b/actions/runs/7/artifacts": {"artifacts": [{"name": "plan-dev"}]}}
    done = _step(repository, "tapctl-apply.yml", "gh run list", answers | {"refused": refused})
    assert (done.returncode, _lines("output")) == (1, [])


def test_the_run_of_a_plan_bears_the_name_by_which_it_is_found_after_the_merge(workflows: Path) -> None:
    name = yaml.safe_load((workflows / "tapctl-plan.yml").read_text())["run-name"]
    filled = name.replace("${{ github.event.pull_request.number }}", "12").replace("${{ github.base_ref }}", "main")
    assert filled == _OURS["displayTitle"]


_PLAN = {"environment": "dev", "suffix": "dev", "destroy": False, "image": "a@sha256:1", "serial": 3}
_ALLOWED = {"adopted": [], "allowed": ["kms-key/a"], "reboot": False, "restore": "", "empty": False}


@with_jq
@pytest.mark.parametrize(
    ("other", "code"),
    [
        ({}, 0),
        ({"serial": 2, "expires": "later"}, 0),  # whether it is what would be done now is for apply to see
        ({"destroy": True}, 1),
        ({"environment": "prod"}, 1),
        ({"image": "a@sha256:2"}, 1),
        ({"permits": _ALLOWED | {"allowed": ["kms-key/a", "db-cluster/b"]}}, 1),
        ({"permits": _ALLOWED | {"adopted": ["all"]}}, 1),
        ({"permits": _ALLOWED | {"empty": True}}, 1),
        (None, 1),
    ],
)
def test_after_the_merge_a_plan_asks_for_no_more_than_the_merged_files_and_the_reviewed_message(
    repository: Path, other: dict[str, Any] | None, code: int
) -> None:
    now = json.dumps(_PLAN | {"permits": _ALLOWED})
    (repository / "plan").mkdir()
    text = "no plan" if other is None else json.dumps(_PLAN | {"permits": _ALLOWED} | other)
    (repository / "plan" / "dev.json").write_text(text)
    (repository / "message").write_text("Key.\r\ntapctl-allow: dev kms-key/a\r\ntapctl-allow: prod kms-key/b\r\n")
    # Some fields may not be read: exit 7, with a plan.
    tapctl = f"printf '%s ' \"$@\" > said; printf '%s' '{now}' > now.json; exit 7"
    done = _step(repository, "tapctl-apply.yml", "--out now.json", {}, tapctl)
    assert (done.returncode, "asks for other permits, or another image" in done.stdout) == (code, code == 1)
    assert Path("said").read_text() == "plan --env dev --allow kms-key/a --out now.json "


@with_jq
def test_after_the_merge_nothing_is_applied_where_nothing_can_be_planned(repository: Path) -> None:
    (repository / "plan").mkdir()
    (repository / "plan" / "dev.json").write_text("{}")
    (repository / "message").write_text("")
    assert _step(repository, "tapctl-apply.yml", "--out now.json", {}, "exit 6").returncode == 1


def test_a_night_is_held_against_the_last_one_on_a_schedule_alone(workflows: Path) -> None:
    (look,) = [step["run"] for step in _steps(workflows) if "--workflow tapctl-drift.yml" in step.get("run", "")]
    assert "gh run list --workflow tapctl-drift.yml --event schedule --status completed" in look


_NIGHTS = "pipelines?source=schedule&ref=main&per_page=20"
_NIGHT_JOB = {"id": 50, "name": "drift: [dev]", "status": "success"}
_CUT = "**Cut here: 3 more rows do not fit into 60,000 bytes.**\n"
_TELLS = """#!{python}
import json, sys
words = sys.argv[1:]
place = words[-1].removeprefix("https://gitlab/api/v4/").removeprefix("projects/1/")
method = words[words.index("--request") + 1] if "--request" in words else "GET" if "--get" in words else ""
sent = [word.partition("@")[2] for word in words if "@" in word and word.endswith(".md")]
if sent or method == "PUT":
    text = open(sent[0]).readline().strip() if sent else words[words.index("--data") + 1]
    print(method or "POST", place, text, file=open("told", "a"))
    sys.exit(0)
answer = json.load(open("answers.json")).get(place)
if "--write-out" in words:
    print(answer if isinstance(answer, int) else 200)
elif isinstance(answer, int):
    sys.exit(22)
print(json.dumps(answer), file=open("last.jsonl", "w") if "last.jsonl" in words else sys.stdout)
"""
_DRIFTED = """#!/bin/sh
for word in "$@"; do
  [ "$before" = --report ] && echo "the report $word" | cat - cut > "$word" 2> /dev/null
  before=$word
done
case "$*" in *--new-since*) cat last.jsonl > held-against; exit {new} ;; esac
exit {code}
"""


def _lines(name: str) -> list[str]:
    return Path(name).read_text().splitlines() if Path(name).exists() else []


def _of_gitlab(
    repository: Path, job: str, answers: dict[str, Any], values: dict[str, str], *, code: int, new: int = 0
) -> Done:
    """Run the job of dev where the API gives these answers (a number is a failure), and tapctl ends so."""
    assert called("ci", "init", "gitlab").code == 0
    tools = repository / "bin"
    tools.mkdir()
    (repository / "answers.json").write_text(json.dumps(answers))
    (tools / "curl").write_text(_TELLS.format(python=sys.executable))
    (tools / "tapctl").write_text(_DRIFTED.format(code=code, new=new))
    for tool in tools.iterdir():
        tool.chmod(0o755)
    script = "\n".join(yaml.safe_load((repository / ".gitlab-ci.yml").read_text())[job]["script"])
    values |= _SET | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "ENVIRONMENT": "dev", "CI_PROJECT_ID": "1"}
    values |= {"CI_API_V4_URL": "https://gitlab/api/v4", "CI_DEFAULT_BRANCH": "main", "CI_JOB_TOKEN": "t"}
    return _ended(script, values | {"TAPCTL_CONFIG": "environments"})


def _told_by_gitlab(
    repository: Path, answers: dict[str, Any], *, code: int = 2, new: int = 2, ends: int = 0
) -> list[str]:
    """Run GitLab's night of dev, which is to end so; returns what it wrote into issues."""
    done = _of_gitlab(repository, "drift", {"user": {"id": 5}} | answers, {}, code=code, new=new)
    assert done.returncode == ends, done.stdout + done.stderr
    return _lines("told")


_OPEN = {"iid": 7, "title": "Drift in dev", "author": {"id": 5}}
_LAST_NIGHT = {_NIGHTS: [{"id": 9}, {"id": 8}], "pipelines/8/jobs?per_page=100": [_NIGHT_JOB]}
_OF_DEV = "jobs/50/artifacts/drift-dev.jsonl"
_ITS_RUN = {_OF_DEV: "last night"}
_NEW, _ALL = "POST issues/7/notes the report new.comment.md", "PUT issues/7 the report all.comment.md"


@with_jq
@pytest.mark.parametrize(
    ("last", "new", "told"),
    [
        (_LAST_NIGHT | _ITS_RUN, 2, [_NEW, _ALL]),
        (_LAST_NIGHT | _ITS_RUN, 0, [_ALL]),
        (_LAST_NIGHT | {_OF_DEV: 404}, 0, ["POST issues/7/notes the report all.comment.md", _ALL]),
        ({_NIGHTS: []}, 0, ["POST issues/7/notes the report all.comment.md", _ALL]),
    ],
    ids=["new since the last night", "nothing new", "its artifact is gone", "the first night"],
)
def test_gitlab_s_night_tells_what_is_new_and_without_a_last_night_everything(
    repository: Path, last: dict[str, Any], new: int, told: list[str]
) -> None:
    # The newest night had no job that looked.
    found = {"issues": [_OPEN], "pipelines/9/jobs?per_page=100": [_NIGHT_JOB | {"status": "failed"}]}
    assert _told_by_gitlab(repository, found | last, new=new) == told
    assert Path("held-against").exists() == (last == _LAST_NIGHT | _ITS_RUN)


@with_jq
def test_what_gitlab_s_night_had_to_cut_is_new_for_the_next_one(repository: Path) -> None:
    (repository / "cut").write_text(_CUT)
    told = _told_by_gitlab(repository, {_NIGHTS: [], "issues": [_OPEN]})
    assert told == ["POST issues/7/notes the report all.comment.md", _ALL]
    (path,) = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())["drift"]["artifacts"]["paths"]
    assert path.replace("$ENVIRONMENT", "dev") == "drift-dev.*"
    assert [each.name for each in repository.glob("drift-dev.*")] == ["drift-dev.cut.jsonl"]


@with_jq
@pytest.mark.parametrize("refused", [_NIGHTS, "pipelines/8/jobs?per_page=100", _OF_DEV, "user", "issues"])
def test_gitlab_s_night_takes_no_failure_for_nothing_there(repository: Path, refused: str) -> None:
    answers = {"issues": [_OPEN], "pipelines/9/jobs?per_page=100": []} | _LAST_NIGHT | _ITS_RUN
    ends = 1 if refused == _OF_DEV else 22
    assert _told_by_gitlab(repository, answers | {refused: 502}, ends=ends) == []


@with_jq
def test_gitlab_s_night_is_red_where_it_cannot_find_out_what_is_new(repository: Path) -> None:
    answers = {"issues": [_OPEN], "pipelines/9/jobs?per_page=100": []} | _LAST_NIGHT | _ITS_RUN
    assert _told_by_gitlab(repository, answers, new=6, ends=6) == []


_PLAN_NOTES = "merge_requests/12/notes?per_page=100"


@with_jq
@pytest.mark.parametrize(
    ("notes", "code", "ends", "told"),
    [
        ([], 0, 0, ["POST merge_requests/12/notes"]),
        ([], 6, 6, ["POST merge_requests/12/notes"]),
        ([{"id": 3, "author": {"id": 5}}], 0, 0, ["PUT merge_requests/12/notes/3"]),
        ([{"id": 3, "author": {"id": 6}}], 0, 0, ["POST merge_requests/12/notes"]),
        (502, 0, 22, []),
    ],
    ids=["the first", "a plan that is refused", "its own", "a stranger's", "no answer"],
)
def test_gitlab_keeps_one_note_of_a_plan_and_is_red_where_it_cannot(
    repository: Path, notes: list[dict[str, Any]] | int, code: int, ends: int, told: list[str]
) -> None:
    mark = "<!-- tapctl plan dev -->"
    texts = notes if isinstance(notes, int) else [note | {"body": f"{mark}\nThe plan."} for note in notes]
    values = {"CI_MERGE_REQUEST_IID": "12", "CI_COMMIT_MESSAGE": "Smaller logs."}
    done = _of_gitlab(repository, "plan", {"user": {"id": 5}, _PLAN_NOTES: texts}, values, code=code)
    assert done.returncode == ends, done.stdout + done.stderr
    assert _lines("told") == [f"{each} {mark}" for each in told]


@with_jq
@pytest.mark.parametrize("issue", [{"author": {"id": 6}}, {"title": "Drift in dev2"}], ids=["a stranger's", "another"])
def test_gitlab_s_night_tells_nothing_in_an_issue_that_is_not_its_own(repository: Path, issue: dict[str, Any]) -> None:
    assert _told_by_gitlab(repository, {_NIGHTS: [], "issues": [_OPEN | issue]}) == [
        "POST issues the report all.comment.md"
    ]


@with_jq
def test_gitlab_s_night_closes_its_issue_once_everything_is_as_recorded(repository: Path) -> None:
    assert _told_by_gitlab(repository, {_NIGHTS: [], "issues": [_OPEN]}, code=0) == ["PUT issues/7 state_event=close"]


_SAYS = """#!/bin/sh
case "$*" in
"api "*) echo 1 ;;
"run download"*) cp -r looked drift ;;
"issue list"*) echo 7 ;;
*) { echo "$1 $2 $3"; cat; } >> told ;;
esac
"""


@pytest.mark.parametrize(
    ("last", "new", "told"),
    [(True, 2, ["comment", "new"]), (True, 0, []), (False, 0, ["comment", "all"])],
    ids=["new since the last night", "nothing new", "no last night"],
)
def test_github_s_night_tells_what_is_new_and_without_a_last_night_everything(
    workflows: Path, last: bool, new: int, told: list[str]
) -> None:
    jobs = yaml.safe_load((workflows / "tapctl-drift.yml").read_text())["jobs"]
    (look,) = [step["run"] for step in jobs["drift"]["steps"] if "tapctl drift --env" in step.get("run", "")]
    (tell,) = [step["run"] for step in jobs["issue"]["steps"] if "run" in step]
    tools = Path("bin").absolute()
    tools.mkdir()
    (tools / "tapctl").write_text(_DRIFTED.replace("last.jsonl", "last/run.jsonl").format(code=2, new=new))
    (tools / "gh").write_text(_SAYS)
    for tool in tools.iterdir():
        tool.chmod(0o755)
    Path("drift").mkdir()
    if last:
        Path("last").mkdir()
        Path("last/run.jsonl").write_text("last night")
    values = {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "ENVIRONMENT": "dev", "GITHUB_RUN_ID": "9"}
    assert _ended(look, values).returncode == 0
    Path("drift").rename("looked")
    assert _ended(tell, values).returncode == 0
    reports = [*([told] if told else []), ["edit", "all"]]
    lines = [line for line in Path("told").read_text().splitlines() if line]
    assert lines == [
        line for verb, name in reports for line in (f"issue {verb} 7", f"the report drift/{name}.comment.md", "Run 9")
    ]


_KEPT_BY_GITHUB = """#!/bin/sh
case "$1 $2" in "${REFUSED:-none}"*) echo "HTTP 502" >&2; exit 1 ;; esac
case "$1 $2" in
"run list") mkdir -p kept; ls -r kept ;;
"api "*) place=${2#*/runs/}; ls -d "kept/${place%%/*}/${place#*name=}" 2> /dev/null | wc -l ;;
"run download") cp -r "kept/$3/$5" "$7" ;;
"issue list") echo 7 ;;
*) cat > /dev/null; echo "$GITHUB_RUN_ID $1 $2" >> told ;;
esac
"""
_FOUND = """#!/bin/sh
for word in "$@"; do
  [ "$before" = --report ] && echo "the report" | cat - cut > "$word" 2> /dev/null
  before=$word
done
case "$*" in *--new-since*) cmp -s found last/run.jsonl || exit 2; exit 0 ;; esac
cat found
exit 2
"""


def _tools(**texts: str) -> None:
    Path("bin").mkdir()
    for name, text in texts.items():
        (Path("bin") / name).write_text(text)
        (Path("bin") / name).chmod(0o755)


def _github_job(job: dict[str, Any], run: str, refused: str = "") -> bool:
    """Run the steps of dev's job that are ours, and keep this run's artifacts as GitHub does; True if none failed."""
    for folder in ("last", "drift"):
        shutil.rmtree(folder, ignore_errors=True)
    values = _SET | {"PATH": f"{Path('bin').absolute()}{os.pathsep}{os.environ['PATH']}", "ENVIRONMENT": "dev"}
    values |= {"GITHUB_RUN_ID": run, "REFUSED": refused}
    for step in job["steps"]:
        script = step.get("run", "")
        if script and not script.startswith("pip install"):
            if _ended(script, values).returncode:
                return False
        elif "upload-artifact" in step.get("uses", ""):
            kept = Path("kept") / run / step["with"]["name"].replace("${{ matrix.environment }}", "dev")
            path = Path(step["with"]["path"])
            if path.is_dir():
                shutil.copytree(path, kept)
            elif path.exists():
                kept.mkdir(parents=True)
                shutil.copy(path, kept)
    return True


@pytest.mark.parametrize(
    ("refused", "told"),
    [
        ("", ["2 comment", "2 edit", "3 edit"]),
        ("issue comment", ["3 comment", "3 edit"]),
        ("issue edit", ["2 comment", "3 comment", "3 edit"]),
        ("run download", ["3 comment", "3 edit"]),
        ("issue list", ["3 comment", "3 edit"]),
        ("api ", ["3 comment", "3 edit"]),
    ],
)
def test_what_github_s_night_could_not_tell_is_new_for_the_next_one(
    workflows: Path, refused: str, told: list[str]
) -> None:
    jobs = yaml.safe_load((workflows / "tapctl-drift.yml").read_text())["jobs"]
    _tools(gh=_KEPT_BY_GITHUB, tapctl=_FOUND)
    for night, found in (("1", "one"), ("2", "one and another"), ("3", "one and another")):
        Path("found").write_text(found)
        assert _github_job(jobs["drift"], night)
        failing = refused if night == "2" else ""
        assert _github_job(jobs["issue"], night, failing) == (not failing)
    written = [line.replace(" issue", "") for line in Path("told").read_text().splitlines()]
    assert written == ["1 comment", "1 edit", *told]


def test_what_github_s_night_had_to_cut_is_new_for_the_next_one(workflows: Path) -> None:
    jobs = yaml.safe_load((workflows / "tapctl-drift.yml").read_text())["jobs"]
    _tools(gh=_KEPT_BY_GITHUB, tapctl=_FOUND)
    for night, found, cut in (("1", "one", ""), ("2", "one and many", _CUT), ("3", "one and many", "")):
        Path("found").write_text(found)
        Path("cut").write_text(cut)
        assert _github_job(jobs["drift"], night)
        assert _github_job(jobs["issue"], night)
    told = ["1 issue comment", "1 issue edit", "2 issue comment", "2 issue edit", "3 issue comment", "3 issue edit"]
    assert _lines("told") == told


def test_what_pipelines_tell_is_cut_by_tapctl_alone_between_rows(workflows: Path, repository: Path) -> None:
    assert called("ci", "init", "gitlab").code == 0
    for path in (*workflows.iterdir(), repository / ".gitlab-ci.yml"):
        text = path.read_text()
        assert "head -c" not in text
        assert all(word.rstrip('"').endswith(".comment.md") for word in re.findall(r"--report (\S+)", text))


@with_jq
def test_a_plan_that_does_not_fit_into_github_s_comment_is_named_there(repository: Path) -> None:
    for name, size in (("dev", 100), ("prod", 60_000), ("staging", 1_000)):
        (repository / "plans" / f"plan-{name}").mkdir(parents=True)
        (repository / "plans" / f"plan-{name}" / f"{name}.comment.md").write_text(f"{name}\n{'é' * (size // 2)}\n")
    (repository / "plans" / "plan-dev" / "dev.comment.md").write_text(f"dev\n{'é' * 1_000}\n")
    answers: dict[str, Any] = {"repos/a/b/issues/12/comments": []}
    values = {"PULL": "12", "HEAD": "h12", "GITHUB_RUN_ID": "9"}
    done = _step(repository, "tapctl-plan.yml", "<!-- tapctl plan -->", answers, values=values)
    assert done.returncode == 0, done.stderr
    body = (repository / "body.md").read_text(encoding="utf-8")
    assert [line for line in body.splitlines() if line and "é" not in line] == [
        "<!-- tapctl plan -->",
        "Plan of `h12`",
        "dev",
        "**prod.comment.md does not fit here: it is in the artifacts of run 9.**",
        "staging",
    ]


@pytest.mark.parametrize("refused", ["run list", "api ", "run download"])
def test_github_s_night_takes_no_failure_for_nothing_there(workflows: Path, refused: str) -> None:
    jobs = yaml.safe_load((workflows / "tapctl-drift.yml").read_text())["jobs"]
    _tools(gh=_KEPT_BY_GITHUB, tapctl=_FOUND)
    Path("found").write_text("one")
    assert _github_job(jobs["issue"], "1"), "a look that failed has left nothing"
    assert not Path("told").exists()
    assert _github_job(jobs["drift"], "1"), "the first night"
    assert _github_job(jobs["issue"], "1")
    assert not _github_job(jobs["drift"], "2", refused)


def test_gitlab_plans_applies_and_compares_the_environments_that_have_a_file(repository: Path) -> None:
    assert called("ci", "init", "gitlab").code == 0
    pipeline = yaml.safe_load((repository / ".gitlab-ci.yml").read_text())
    assert pipeline[".each"]["parallel"]["matrix"] == [{"ENVIRONMENT": ["dev", "prod", "staging"]}]
    jobs = [pipeline[name]["extends"] for name in ("plan", "apply", "drift", "copies")]
    assert jobs == [*[[".tapctl", ".each"]] * 3, ".tapctl"]


def test_every_template_is_part_of_the_package(repository: Path) -> None:
    assert {path.name for path in (Path(__file__).parents[2] / "tapctl/commands/pipelines").iterdir()} == {
        template for paths in _TEMPLATES.values() for template in paths.values()
    }
    (repository / ".github").write_text("a file\n")
    assert "cannot be written" in called("ci", "init", "github", "--yes").err


def test_without_environments_or_with_a_folder_that_breaks_a_workflow_nothing_is_written(repository: Path) -> None:
    (repository / "empty").mkdir()
    assert called("ci", "init", "github", "--config", "empty").code == 3
    assert called("ci", "init", "github", "--config", 'a"b').code == 3
    assert not (repository / ".github").exists()


@pytest.mark.parametrize("system", ["github", "gitlab"])
@pytest.mark.parametrize("name", ["a b", "x'; touch pwned; '", 'x"]\n  - ENVIRONMENT: ["evil', "Prod", "$(id)"])
def test_a_file_whose_name_is_no_environment_s_is_written_into_no_pipeline(
    repository: Path, system: str, name: str
) -> None:
    (repository / "environments" / f"{name}.toml").write_text("")
    refused = called("ci", "init", system)
    assert (refused.code, "the environment's name, " in refused.err) == (3, True)
    assert {each.name for each in repository.iterdir()} == {"environments"}


def test_a_folder_that_no_checkout_has_is_written_into_no_pipeline(repository: Path) -> None:
    for folder in (str(repository / "environments"), f"../{repository.name}/environments"):
        answer = called("ci", "init", "github", "--config", folder)
        assert (answer.code, "leads out of this folder" in answer.err) == (3, True)
    assert not (repository / ".github").exists()
