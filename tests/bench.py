"""``make bench``: calls and times against the embedded AWS with 50 ms added to every call; ratios within this one run.

Calls are counted, so they are the same every time and a count over its limit fails the run. Times depend on the
machine: they are compared with what Python and the SDK's own clients take on the same machine in the same minute.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tapctl import sandbox
from tapctl.command import SANDBOX_FOLDER
from tapctl.config import load_all

ROOT = Path(__file__).parent.parent
LATENCY_S = 0.05
ROUNDS = 5
RESOURCES = {"dev": 21, "prod": 24}
_CLIENTS = [
    *("sts", "cloudformation", "ec2", "ecr", "kms", "resourcegroupstaggingapi", "rds", "secretsmanager"),
    *("iam", "lambda", "logs", "sns", "cloudwatch"),
]
_MAKE_CLIENTS = f"import boto3\ns = boto3.session.Session(region_name='us-east-1')\nfor n in {_CLIENTS}: s.client(n)"


def timed(command: Sequence[str], rounds: int = ROUNDS) -> tuple[float, str]:
    """The median wall time in seconds over these rounds, and the last round's stdout."""
    took, out = [], ""
    for _ in range(rounds):
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took.append(time.perf_counter() - began)
        out = done.stdout
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return statistics.median(took), out


def start_up() -> bool:
    """``--help`` against the two imports it cannot do without."""
    bare, _ = timed([sys.executable, "-c", "import click, pydantic"])
    shown, _ = timed([sys.executable, "-m", "tapctl", "--help"])
    print(f"--help            {shown / bare:4.2f} x python -c 'import click, pydantic'   (at most 2.00)")
    return shown / bare <= 2


def reads(env: str, clients_s: float) -> bool:
    """plan, drift and an apply with nothing to do: calls, changing calls, and time beyond the clients' own."""
    most = 2 * RESOURCES[env] + 5
    good = True
    for verb, *flags in (["plan"], ["drift"], ["apply", "--yes"]):
        took, out = timed([sys.executable, "-m", "tapctl", "--json", verb, "--env", env, *flags])
        verdict = json.loads(out.splitlines()[-1])
        calls, changing = verdict["api_calls"], verdict["changing_calls"]
        good = good and calls <= most and changing == 0
        print(
            f"{env:<8} {verb:<8} {calls:3} calls (at most {most}) · {changing} changing"
            f" · {took - clients_s:5.2f} s beyond Python and the clients (at most 1.50)"
        )
    return good


def main() -> int:
    """Run all of it in a folder of its own."""
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "environments", Path(folder) / "environments")
        os.chdir(folder)
        configs = load_all(Path("environments"))
        seeds = [sandbox.seed(config, config.region) for config in configs.values()]
        try:
            url = sandbox.ensure(SANDBOX_FOLDER, seeds, latency_s=LATENCY_S)
            key, secret = sandbox.CREDENTIALS
            os.environ.update(AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID=key, AWS_SECRET_ACCESS_KEY=secret)
            good = start_up()
            clients_s, _ = timed([sys.executable, "-c", _MAKE_CLIENTS])
            print(f"Python and {len(_CLIENTS)} clients take {clients_s:.2f} s here")
            for env in RESOURCES:
                timed([sys.executable, "-m", "tapctl", "apply", "--env", env, "--yes"], rounds=1)
                good = reads(env, clients_s) and good
        finally:
            sandbox.stop(SANDBOX_FOLDER)
            os.chdir(here)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
