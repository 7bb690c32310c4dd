"""Approval of an apply: a plan file, the hash of a plan, or both; and the proof that nothing else would be done now."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tapctl.engine.model import Retained
from tapctl.errors import ExitCode, ManifestError, PlanOutdated, StoreFailed, UsageError
from tapctl.manifest.manifest import Manifest, now
from tapctl.planning.permits import NO_PERMITS, Permits
from tapctl.planning.plan_file import NOTHING_KEPT, PlanFile, continues, differences, read_plan
from tapctl.safety.json_errors import shape_problems
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tapctl.session.target import Files

USED: Final = "plans"
"""The name of the file beside the record that keeps which plan files were applied."""
_KEPT: Final = 100
_SHOWN: Final = 40
_HASH: Final = re.compile("[0-9a-f]{64}")


class _Use(BaseModel):
    """The use of one plan file: by which runs, and whether all of it was done."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hash: str
    runs: Annotated[tuple[str, ...], Field(min_length=1)]
    by: str
    at: str
    done: bool


class _Uses(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    plans: tuple[_Use, ...] = ()

    def of(self, hash: str) -> _Use | None:
        """The use of the plan file with this hash; None if it was never applied."""
        return next((use for use in self.plans if use.hash == hash), None)

    def with_use(self, use: _Use) -> _Uses:
        """These uses and another one; the oldest go."""
        return _Uses(plans=(*(each for each in self.plans if each.hash != use.hash), use)[-_KEPT:])


@dataclass(frozen=True)
class Approval:
    """The plan that was approved. Without a file and a hash, whatever is planned now."""

    file: PlanFile | None = None
    path: Path = Path()
    expected: str = ""
    given: Permits = NO_PERMITS

    @property
    def permits(self) -> Permits:
        """The steps that are permitted: those of the file, else those of the command line."""
        return self.file.given if self.file else self.given

    @property
    def destroys(self) -> bool:
        """True if the file is the plan of a destroy."""
        return self.file is not None and self.file.destroy

    @property
    def suffix(self) -> str:
        """The suffix that the file names; empty without a file."""
        return self.file.suffix if self.file else ""

    @property
    def files(self) -> Files:
        """The need of the environment's files: a destroy goes by the record where they are gone."""
        return Files.MAY_BE_GONE if self.destroys else Files.NEEDED

    @property
    def binds(self) -> bool:
        """True if something was approved: nothing else may be done."""
        return self.file is not None or bool(self.expected)

    @property
    def image_digest(self) -> str:
        """The digest of the image that was approved; empty where the one of now is meant."""
        return self.file.image_digest if self.file else ""

    def aim(self, invocation: Invocation) -> Invocation:
        """The invocation, on the file's environment where the command line names none."""
        if self.file is None or invocation.env is not None or invocation.suffix is not None:
            return invocation
        suffix = None if self.file.suffix == self.file.environment else self.file.suffix
        return replace(invocation, env=self.file.environment, suffix=suffix)

    def check_target(self, session: Session) -> None:
        """Make sure that the file is of this target, that its time is not over, and that it was not applied already.

        Raises:
            PlanOutdated: it is of another one, has expired, or was used.
            ManifestError: what keeps the plans that were applied cannot be used.
        """
        if self.file is None:
            return
        self._check_place(self.file, session)
        if self.file.expires <= now():
            raise self._outdated(session, "has expired", f"it was to be applied until {self.file.expires}")
        use = _read_uses(session).of(self.file.hash)
        if use is not None and use.done:
            raise self._outdated(session, "was applied already", f"at {use.at} by {use.by}, run {use.runs[-1]}")

    def _check_place(self, file: PlanFile, session: Session) -> None:
        target = session.target
        places = (
            ("environment", file.environment, target.env),
            ("suffix", file.suffix, target.suffix),
            ("account", file.account, target.account),
            ("region", file.region, target.region),
            ("aws", file.aws, session.aws_kind.value),
            ("state", file.state, session.location),
        )
        foreign = [
            f"{name}: the plan's is {theirs}, here it is {ours}" for name, theirs, ours in places if theirs != ours
        ]
        if foreign:
            raise PlanOutdated(
                f"the plan file {self.path} is of another place",
                evidence="\n".join(foreign),
                hint="apply it where it was made, with the same --env, --suffix, --region and --state",
            )

    def check(
        self, session: Session, today: PlanFile, manifest: Manifest, kept: Mapping[str, Retained] = NOTHING_KEPT
    ) -> None:
        """Make sure that what would be done now is what was approved, to the field; or what an apply of it has left.

        ``kept``: what a destroy would leave today, by address.

        Raises:
            PlanOutdated: it is something else; the evidence tells what has changed since.
        """
        session.invocation.usage.plan_hash = today.plan_hash
        if self.file is None:
            if self.expected not in ("", today.plan_hash):
                raise PlanOutdated(
                    "what would be done now is not what was approved",
                    evidence=f"approved: {self.expected}\nnow:      {today.plan_hash}",
                    hint=f"see what it is now, and have that approved: {self._plan_anew(session)}",
                )
            return
        if today.plan_hash == self.file.plan_hash or self._is_rest(self.file, session, today, manifest):
            return
        changed = differences(self.file, today, kept)
        shown = [*islice(changed, _SHOWN)]
        more = sum(1 for _ in changed)
        raise self._outdated(
            session,
            "is not what would be done now",
            "\n".join([*shown, *([f"and {more} more"] if more else [])]),
        )

    def _is_rest(self, file: PlanFile, session: Session, today: PlanFile, manifest: Manifest) -> bool:
        """True if the file's apply was cut off, nobody else has changed anything since, and this is what is left."""
        use = _read_uses(session).of(file.hash)
        return use is not None and manifest.run in use.runs and continues(file, today)

    def begin(self, session: Session) -> None:
        """Record that the file is being applied, before anything is changed.

        Raises:
            StoreFailed: that could not be recorded.
        """
        if self.file is not None:
            self._record(session, self.file, done=False)

    def end(self, session: Session, code: int) -> int:
        """Record that all of the file was done, where it was; returns the exit status of the command."""
        if self.file is not None and code == ExitCode.OK:
            try:
                self._record(session, self.file, done=True)
            except StoreFailed as error:
                session.screen.warn(f"that {self.path} was applied could not be recorded: {error}")
        return code

    def _record(self, session: Session, file: PlanFile, *, done: bool) -> None:
        uses = _read_uses(session)
        before = uses.of(file.hash)
        runs = dict.fromkeys([*(before.runs if before else ()), session.id])
        use = _Use(hash=file.hash, runs=tuple(runs), by=session.target.identity, at=now(), done=done)
        text = json.dumps(uses.with_use(use).model_dump(mode="json"), indent=2, sort_keys=True)
        session.store.put_sidecar(session.suffix, USED, f"{text}\n".encode())

    def _outdated(self, session: Session, problem: str, evidence: str) -> PlanOutdated:
        again = self._plan_anew(session, "--out", str(self.path))
        return PlanOutdated(
            f"the plan file {self.path} {problem}",
            evidence=evidence,
            hint=f"make a new one, and have that approved: {again}",
        )

    def _plan_anew(self, session: Session, *more: str) -> str:
        """The command that makes such a plan of today, with the same permits."""
        plan = session.command("plan --destroy" if self.destroys else "plan")
        words = shlex.join([*self.permits.options, *more])
        return f"{plan} {words}" if words else plan


NO_APPROVAL: Final = Approval()


def take_approval(path: Path | None, expected: str | None, given: Permits) -> Approval:
    """Read the approval that the command line names; the file is read.

    Raises:
        UsageError: the hash is none, or steps are permitted beside a file, which has its own.
        PlanInvalid: the file cannot be used.
        PlanOutdated: the file was edited, or is not the one with the hash.
    """
    if expected is not None and not _HASH.fullmatch(expected):
        raise UsageError(f"--expect {expected} is no hash", hint="give all 64 hex digits, as tapctl plan prints them")
    if path is None:
        return Approval(expected=expected or "", given=given)
    if given != NO_PERMITS:
        raise UsageError(
            "--plan is applied with the steps that the plan was made with",
            hint="leave --adopt, --allow, --reboot, --restore and --empty to tapctl plan --out",
        )
    file = read_plan(path)
    if expected not in (None, file.plan_hash, file.hash):
        raise PlanOutdated(
            f"the plan file {path} is not the one that was approved",
            evidence=f"approved: {expected}\nthe file: {file.plan_hash}",
            hint="name the file that was approved, or have this one approved",
        )
    return Approval(file, path, expected or "")


def _read_uses(session: Session) -> _Uses:
    content = session.store.get_sidecar(session.suffix, USED)
    if content is None:
        return _Uses()
    try:
        return _Uses.model_validate_json(content, strict=True)
    except ValidationError as error:
        raise ManifestError(
            f"the file beside {session.location} that keeps which plans were applied cannot be used",
            evidence=shape_problems(error),
            hint=f"put an earlier copy of {session.suffix}.{USED}.json back, or remove it and have a new plan approved",
        ) from None
