"""An examination of one environment: its record against AWS, with its waivers, for the verbs that go by findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from tapctl.engine.record import Phase
from tapctl.errors import ConfigError, ExitCode, Status
from tapctl.evidence.comparison import Compared, compare_between_readings, compare_stored, is_kept_alone
from tapctl.evidence.tag_bearers import Unasked, check_not_elsewhere
from tapctl.findings.waivers import waivers_for
from tapctl.manifest.manifest import Manifest
from tapctl.reconcilers import never_compared
from tapctl.render.values import counted
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
    never = (*never_compared(entry.type for entry in compared.entries.values()), *report.never_compared)
    if isinstance(session.loaded, ConfigError):
        never += ("what the files want beside what all files do: they cannot be used",)
    compared = replace(compared, report=replace(report, never_compared=never, names=tags_of(session.aws, images)))
    return Examined(**vars(compared), manifest=manifest, version=version)


def finish_nothing(session: Session, found: Examined | None) -> int:
    """End a command that acts on what drifted, where nothing has; what was not compared or not asked may have.

    Raises:
        ManifestError: as `check_elsewhere`.
    """
    unasked = check_elsewhere(session, found)
    if found is None or found.report.is_complete:
        return session.finish(Status.NOTHING, unasked.code, unasked.counts, f"nothing has drifted{unasked.words}")
    summary = (
        f"nothing has drifted of what was compared: {found.report.compared} of {counted(found.report.fields, 'field')}"
    )
    return session.finish(Status.NOTHING, ExitCode.INCOMPLETE, unasked.counts, f"{summary}{unasked.words}")


def check_elsewhere(session: Session, found: Examined | None, looked_for: Unasked | None = None) -> Unasked:
    """Make sure that a copy of which nothing is deployed where it was looked at is in no other place.

    ``looked_for``: where a look at all could not ask for it, as it has told. Returns, and tells, the places that could
    not be asked; none of an environment that is deployed.

    Raises:
        ManifestError: something bears its tag where the files have another environment.
    """
    if found is not None and not is_kept_alone(found.entries, found.beside):
        return Unasked()
    if looked_for is not None:
        return looked_for
    record = session.load_manifest()[0]
    unasked = check_not_elsewhere(session.invocation, session.screen, session.store, record)
    unasked.tell(session.screen)
    return unasked
