"""``tapctl ci init``: the workflows of a pipeline, written into the repository that is the current folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Final

from tapctl.commands.writing import write_file
from tapctl.config import environments, name_problems
from tapctl.errors import ConfigError, ExitCode, Problem, Refused, Status, UsageError
from tapctl.render.screen import Screen, Target
from tapctl.safety.files import read_file
from tapctl.session.invocation import Invocation

_TEMPLATES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "github": {
            ".github/workflows/tapctl-plan.yml": "github-plan.yml",
            ".github/workflows/tapctl-apply.yml": "github-apply.yml",
            ".github/workflows/tapctl-drift.yml": "github-drift.yml",
        },
        "gitlab": {".gitlab-ci.yml": "gitlab.yml"},
    }
)
"""CI system to the path of each file and its template."""
_MAX_BYTES: Final = 1024 * 1024


def init(invocation: Invocation, screen: Screen, system: str) -> int:
    """Write the files of this CI system; one that is there, and is another, is overwritten only where that is said.

    Raises:
        ConfigError: there is no environment, or one whose name is none; or the folder's name cannot stand in a
            workflow, or is of this machine.
        UsageError: a file is there, and nobody can be asked.
        Refused: a name is a link's, which may lead out of the repository; or a file cannot be written.
    """
    screen.target(Target())
    texts = {Path(path): _filled(invocation, template) for path, template in _TEMPLATES[system].items()}
    if links := [place for path in texts for place in (*reversed(path.parents), path) if place.is_symlink()]:
        raise Refused(
            f"there is a symbolic link: {', '.join(map(str, dict.fromkeys(links)))}",
            evidence="it may lead out of the repository, and its target would be written",
            hint="remove it, then run the same command again",
        )
    if root := _root_above():
        screen.warn(f"this is no root of a repository, and pipelines are read there alone: run it in {root}")
    theirs = [path for path, text in texts.items() if _is_another(path, text)]
    if theirs and not _may_overwrite(invocation, screen, theirs):
        return invocation.finish(screen, Status.CANCELLED, ExitCode.REFUSED, summary="nothing was written")
    for path, text in texts.items():
        write_file(path, text)
    listing = [str(path) for path in texts]
    screen.document("\n".join(listing), {"system": system, "files": listing})
    summary = "what to set up first stands at the head of each file"
    return invocation.finish(screen, Status.WRITTEN, counts={"files": len(listing)}, summary=summary)


def _filled(invocation: Invocation, template: str) -> str:
    folder = invocation.config.as_posix()
    if invocation.config.is_absolute() or ".." in invocation.config.parts:
        rule = "leads out of this folder, and a pipeline has the repository alone: name it from the repository's root"
        raise ConfigError([Problem("--config", "", json.dumps(folder), rule)])
    if not folder.isprintable() or set(folder) & set("\"'\\${}`"):
        raise ConfigError([Problem("--config", "", json.dumps(folder), "cannot stand in a workflow")])
    names = environments(invocation.config)
    if not names:
        raise ConfigError([Problem(str(invocation.config), "", "", "has no environment's file")])
    # They stand in a shell's commands, which whoever adds a file is not to write.
    if misnamed := name_problems(invocation.config, names):
        raise ConfigError(misnamed)
    text = (files("tapctl.commands") / "pipelines" / template).read_text(encoding="utf-8")
    return text.replace("@CONFIG@", folder).replace("@ENVIRONMENTS@", ", ".join(f'"{name}"' for name in names))


def _root_above() -> Path | None:
    """The root of the repository that the current folder is a part of; None where it is the root, or there is none."""
    here = Path.cwd()
    root = next((each for each in (here, *here.parents) if (each / ".git").exists()), here)
    return None if root == here else root


def _is_another(path: Path, text: str) -> bool:
    """True if there is something else at this path; a pipe that nobody writes to keeps no command waiting."""
    try:
        return read_file(path, _MAX_BYTES).decode(errors="replace").replace("\r\n", "\n") != text
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _may_overwrite(invocation: Invocation, screen: Screen, theirs: list[Path]) -> bool:
    """Ask; ``--yes`` is an answer.

    Raises:
        UsageError: nobody is there to answer.
    """
    if invocation.yes:
        return True
    named = ", ".join(map(str, theirs))
    if not invocation.interactive:
        raise UsageError(
            f"there is a file already: {named}",
            hint=f"look at it, then overwrite it: {invocation.command} --yes",
        )
    return screen.ask(f"Overwrite {named}? Type yes:", "yes")
