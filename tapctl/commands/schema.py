"""``tapctl schema``: the JSON Schema of what people write, and of what tapctl prints."""

from __future__ import annotations

import json

from tapctl.config.schema import schema as files_schema
from tapctl.config.waivers import waivers_schema
from tapctl.errors import Status
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation


def schema(invocation: Invocation, screen: Screen, document: str | None = None) -> int:
    """Print the JSON Schema of one document; without one, those of both environment files by their names."""
    content = files_schema()
    if document == "waivers":
        content = waivers_schema()
    elif document == "events":
        from tapctl.reports.events import schema as events_schema

        content = events_schema()
    elif document == "plan":
        from tapctl.planning.plan_file import schema as plan_schema

        content = plan_schema()
    elif document is not None:
        content = content[document]
    # A schema has keys of its own that a line has, too.
    record = content if document is None else {"name": document, "schema": content}
    screen.document(json.dumps(content, indent=2), record)
    return invocation.finish(screen, Status.OK)
