"""Run one command and write its wall time and its memory to a file: ``weigh.py <file> <command> ...``.

A process of its own, and a small one: what a command may have taken is at least what its parent had when it was begun.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

_KIB = 1024 if sys.platform == "linux" else 1
"""Bytes in what the operating system tells as one: getrusage(2)."""

began = time.perf_counter()
code = subprocess.call(sys.argv[2:])  # the bench's own commands
took_s = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _KIB
Path(sys.argv[1]).write_text(json.dumps({"code": code, "took_s": took_s, "peak_mb": peak / 1e6}))
