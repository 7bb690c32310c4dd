"""The Lambda code has its own tests, in its own language; they count here too."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HANDLER = Path(__file__).parent.parent / "handlers" / "payment_processor"
OLDEST_NODE = 20


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=HANDLER, capture_output=True, text=True, check=False, timeout=300)


def test_the_payment_processor_passes_its_own_tests() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip(f"node is not installed; the handler's tests need node {OLDEST_NODE} or later")
    version = run(node, "--version").stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node is {version}; the handler's tests need node {OLDEST_NODE} or later")

    tests = run(node, "--test", "--test-reporter=tap")

    assert tests.returncode == 0, tests.stdout
    passed = re.search(r"^# pass (\d+)$", tests.stdout, re.MULTILINE)
    assert passed is not None
    assert int(passed[1]) > 0, "node found no test to run"
