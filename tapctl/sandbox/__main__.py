"""The server's process: ``python -m tapctl.sandbox <listening socket> <latency in s> <scale of time>``.

Its token is in the environment.
"""

from __future__ import annotations

import os
import sys

from tapctl.sandbox.daemon import TOKEN_VARIABLE
from tapctl.sandbox.emulator.server import serve

# AWS's own policies, which people attach by hand.
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

serve(int(sys.argv[1]), os.environ.pop(TOKEN_VARIABLE), latency_s=float(sys.argv[2]), scale=float(sys.argv[3]))
