"""The server's process: ``python -m tapctl.sandbox <listening socket> <token> <latency in s> <scale of time>``."""

from __future__ import annotations

import sys

from tapctl.sandbox.server import serve

serve(int(sys.argv[1]), sys.argv[2], latency_s=float(sys.argv[3]), scale=float(sys.argv[4]))
