"""The place that a record's history is of, held against the record's own: who may write the record may write another.

Of a copy nothing but the record tells where it is. With another place in it, or without it, a look there tells that
nothing is left while everything goes on where it is, and the ARNs that scripts are given are those of another account.
"""

from __future__ import annotations

from tapctl.errors import ManifestError, Refused, TapctlError
from tapctl.manifest.bucket import Archived
from tapctl.manifest.history import history_folder, is_led_up_to, last_version, place_of, version_name
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.target import is_deployed


def check_history_place(invocation: Invocation, store: Store, manifest: Manifest) -> Manifest | None:
    """Make sure that the newest kept version of the record is of the same place, if anything was deployed by it.

    ``manifest``: an empty one where there is no record. Returns that version; None where there is none of that place.

    Who may write the history may put a version of any place there; but no run goes from what is deployed in one place
    to another place.

    Raises:
        ManifestError: it is of another place; or there are versions, and none that can be used.
    """
    suffix, location = manifest.suffix, store.location(manifest.suffix)
    newest = last_version(store, suffix)
    if newest is None or place_of(newest) == place_of(manifest):
        return newest
    if not is_deployed(newest):
        return None
    own, its = (
        f"of {env} in account {account}, {region}" for env, account, region in map(place_of, (manifest, newest))
    )
    is_there = manifest.serial > 0
    cause = f"the record of {suffix} is {own}" if is_there else f"there is no record of {suffix}"
    unread: dict[str, TapctlError] = {}

    def may_precede(one: Manifest) -> bool:
        return place_of(one) == place_of(newest) or not is_deployed(one)

    if not is_led_up_to(store, suffix, newest, may_precede, unread.__setitem__):
        written = invocation.command_line_for("manifest history", Target(manifest.environment, suffix))
        for name, why in unread.items():
            before = f"{location.removesuffix(f'{suffix}.json')}{history_folder(suffix)}{name}"
            raise _unread_error(f"{cause}, and its history is {its}", before, why, written)
        raise ManifestError(
            f"{cause}, and the newest version in its history is {its}, where no version leads up to it",
            evidence=f"{history_folder(suffix)} has {newest.stamp}",
            hint=f"no run has written it so: see who has ({written}), and move it away: {version_name(newest)}",
        )
    there = invocation.command_line_for("drift", Target(newest.environment, newest.suffix))
    raise ManifestError(
        f"{cause}, and its history is {its}: what was deployed there may be there still",
        evidence="\n".join(
            [
                f"{location} has {manifest.stamp}" if is_there else f"nothing at {location}",
                f"its history has {newest.stamp}",
            ]
        ),
        hint=f"put that version back, then look there: {there}; where it was destroyed there, move its versions of "
        f"there away from {history_folder(suffix)}",
    )


def _unread_error(cause: str, file: str, why: TapctlError, written: str) -> ManifestError:
    """The error where nobody can tell if a run has written the newest version: the one before it cannot be read.

    ``written``: the command that lists the versions.
    """
    if isinstance(why, Archived):
        way_out = why.hint
    elif isinstance(why, Refused):
        way_out = f"allow s3:GetObject on {file}"
    else:
        way_out = f"put {file} back as it was, from a backup or an earlier version of the object ({written} tells more)"
    return ManifestError(
        f"{cause}: whether a run has written that nobody can tell, for {file} cannot be read",
        evidence="\n".join([why.cause, *([why.evidence] if why.evidence else [])]),
        hint=f"{way_out}; then run the same command again",
    )
