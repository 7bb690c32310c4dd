"""Whole commands, word for word: exit code, stdout and stderr."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.stories.golden import FOLDER, REWRITE, golden
from tests.support.world import Answer, World

Story = dict[str, tuple[str, Answer]]


@pytest.fixture(scope="module")
def story(shared: World) -> Story:
    """Tell a story from nothing to nothing, a page a command."""
    pages: Story = {}

    def page(name: str, command: str) -> None:
        pages[name] = (command, shared.tapctl(*shlex.split(command)))

    page("usage-no-environment", "plan")
    page("usage-unknown-option", "plan --nonsense")
    page("config-unknown-environment", "plan --env prd")
    page("config-bad-suffix", "apply --env dev --suffix prod")
    page("validate", "validate")
    page("plan-create", "plan --env dev")
    page("apply-needs-yes", "apply --env dev")
    page("apply-create", "apply --env dev --yes")
    page("apply-nothing", "apply --env dev")
    page("drift-none", "drift --env dev")
    page("destroy-protected", "destroy --env prod --yes")

    shared.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=15)
    shared.client("cloudwatch").delete_alarms(AlarmNames=["db-cpu-0-dev"])
    page("drift", "drift --env dev")
    page("plan-undo", "plan --env dev --detailed-exitcode")
    page("apply-undo", "apply --env dev --yes")

    shared.edit("dev.toml", '"db.t4g.medium"', '"db.r6g.large"')
    page("plan-change", "plan --env dev")
    shared.edit("dev.toml", '"db.r6g.large"', '"db.t4g.medium"')

    page("parity", "parity")
    page("plan-destroy", "plan --destroy --env dev")
    page("destroy", "destroy --env dev --yes")
    page("destroy-nothing", "destroy --env dev")

    shared.edit("dev.toml", "memory_mb = 1024", "memory_mb = 64")
    shared.edit("common.toml", 'log_statement = "ddl"', 'log_statement = "all"')
    page("validate-error", "validate")
    return pages


NAMES = (
    "usage-no-environment",
    "usage-unknown-option",
    "config-unknown-environment",
    "config-bad-suffix",
    "validate",
    "validate-error",
    "plan-create",
    "plan-change",
    "plan-undo",
    "plan-destroy",
    "apply-needs-yes",
    "apply-create",
    "apply-nothing",
    "apply-undo",
    "drift",
    "drift-none",
    "parity",
    "destroy",
    "destroy-nothing",
    "destroy-protected",
)


@pytest.mark.parametrize("name", NAMES)
def test_page_is_word_for_word(story: Story, name: str) -> None:
    golden(name, *story[name])


def test_every_golden_file_is_compared(story: Story) -> None:
    assert sorted(story) == sorted(NAMES) == sorted(path.stem for path in FOLDER.glob("*.txt"))


@pytest.mark.parametrize("name", NAMES)
def test_piped_output_has_no_escape_and_no_trailing_space(story: Story, name: str) -> None:
    _, answer = story[name]
    for line in (answer.out + answer.err).splitlines():
        assert "\x1b" not in line
        assert line == line.rstrip()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are kept as they are, also in a run that writes the others anew."""
    monkeypatch.delenv("WRITE_GOLDEN", raising=False)


@pytest.mark.usefixtures("kept")
def test_a_page_that_differs_shows_the_difference_and_how_to_rewrite_it(tmp_path: Path) -> None:
    page = "$ tapctl plan\nexit 0\n--- stdout\nPLAN dev: 1 to create in <n> s\n--- stderr\n  ✓ a\n  ✓ b\n"
    (tmp_path / "plan.txt").write_text(page, encoding="utf-8")
    golden("plan", "plan", Answer(0, "PLAN dev: 1 to create in 2.5 s\n", "  ✓ b\n  ✓ a\n"), tmp_path)
    with pytest.raises(AssertionError) as raised:
        golden("plan", "plan", Answer(2, "PLAN dev: 1 to create in 2.5 s\n", "  ✓ a\n"), tmp_path)
    lines = str(raised.value).splitlines()
    assert [line for line in lines if line.startswith(("+", "-"))] == [
        f"--- {tmp_path.name}/plan.txt",
        "+++ this run",
        "-exit 0",
        "+exit 2",
        "-  ✓ b",
    ]
    assert lines[-1].endswith(REWRITE)


@pytest.mark.usefixtures("kept")
def test_a_page_is_rewritten_on_request_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = Answer(0, "config 0123abcd\n", "")
    with pytest.raises(AssertionError, match=r"\+config <hash>"):
        golden("new", "status", answer, tmp_path)
    assert not (tmp_path / "new.txt").exists()
    monkeypatch.setenv("WRITE_GOLDEN", "1")
    golden("new", "status", answer, tmp_path)
    monkeypatch.delenv("WRITE_GOLDEN")
    golden("new", "status", answer, tmp_path)
