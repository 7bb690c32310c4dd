"""The server's process: ``python -m tapctl.sandbox <listening socket> <token> <latency in s> <scale of time>``."""

from __future__ import annotations

import os
import sys

from tapctl.sandbox.emulator.server import serve

# AWS's own policies, which people attach by hand.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

serve(int(sys.argv[1]), sys.argv[2], latency_s=float(sys.argv[3]), scale=float(sys.argv[4]))
