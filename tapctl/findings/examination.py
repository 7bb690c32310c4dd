"""An examination of one environment: its record against AWS, with its waivers, for the verbs that go by findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tapctl.engine.record import Phase
from tapctl.errors import ConfigError, ExitCode, Status
from tapctl.evidence.comparison import Compared, compare_between_readings, compare_stored
from tapctl.findings.waivers import waivers_for
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import never_compared
from tapctl.session.session import Session
from tapctl.stack.image import FIELD as IMAGE_FIELD
from tapctl.stack.image import tags_of

DESTROYED: Final = "nothing of it is deployed"


@dataclass(frozen=True, kw_only=True)
class Examined(Compared):
    """The comparison of one environment, and the record that it is of."""

    manifest: Manifest
    version: str

    @property
    def remark(self) -> str:
        """The words before the verdict's counts where the record tells of nothing that is deployed; else empty."""
        deployed = any(entry.phase is not Phase.KEPT for entry in self.entries.values())
        return "" if deployed else f"by its record {DESTROYED} · "


def examine(session: Session, *, locked: bool = False, since: Manifest | None = None) -> Examined | None:
    """Compare the environment with its record; None where nothing of it is deployed.

    ``locked``: the lock is ours, so that no other run is under way. ``since``: as in `look_between_readings`.

    Raises:
        NotRecorded: there is no record.
        ConfigError: the waivers break a rule.
    """
    stored, waivers = session.load_manifest(), waivers_for(session)
    if locked:
        compared = compare_stored(session, stored, waivers)
    else:
        session.warn_of_run(session.run_under_way())
        stored, compared, run = compare_between_readings(session, stored, waivers, since)
        session.warn_of_run(run)
    if compared is None:
        return None
    manifest, version = stored
    assert version is not None, "what was compared is recorded"
    report = compared.report
    images = [uri for one in report.findings if one.field == IMAGE_FIELD for uri in (one.recorded, one.live)]
    never = never_compared(entry.type for entry in compared.entries.values())
    if isinstance(session.loaded, ConfigError):
        never += ("what the files want beside what all files do: they cannot be used",)
    compared = replace(compared, report=replace(report, never_compared=never, names=tags_of(session.aws, images)))
    return Examined(**vars(compared), manifest=manifest, version=version)


def finish_nothing(session: Session, found: Examined | None) -> int:
    """End a command that acts on what drifted, where nothing has; what was not compared may have."""
    if found is None or found.report.is_complete:
        return session.finish(Status.NOTHING, summary="nothing has drifted")
    summary = f"nothing has drifted of what was compared: {found.report.compared} of {found.report.fields} fields"
    return session.finish(Status.NOTHING, ExitCode.INCOMPLETE, summary=summary)
