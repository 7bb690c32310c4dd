"""``tapctl schema``: the JSON Schema of the environment files, for editors."""

from __future__ import annotations

import json

from tapctl.config.schema import schema as files_schema
from tapctl.errors import Status
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation


def schema(invocation: Invocation, screen: Screen) -> int:
    """Print the JSON Schema of both kinds of file."""
    content = files_schema()
    screen.document(json.dumps(content, indent=2), content)
    return invocation.finish(screen, Status.OK)
