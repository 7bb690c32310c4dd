"""The server's process: ``python -m tapctl.sandbox <listening socket> <token> <latency in s>``."""

from __future__ import annotations

import sys

from tapctl.sandbox.server import serve

serve(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
