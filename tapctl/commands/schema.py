"""``tapctl schema``: the JSON Schema of the environment files, and of what tapctl writes, for editors."""

from __future__ import annotations

import json

from tapctl.config.schema import schema as files_schema
from tapctl.errors import Status
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation


def schema(invocation: Invocation, screen: Screen, document: str | None = None) -> int:
    """Print the JSON Schema of one document; without its name those of both kinds of environment file, in one."""
    content = files_schema()
    if document == "plan":
        from tapctl.commands.plan_file import schema as plan_schema

        content = plan_schema()
    elif document is not None:
        content = content[document]
    screen.document(json.dumps(content, indent=2), content)
    return invocation.finish(screen, Status.OK)
