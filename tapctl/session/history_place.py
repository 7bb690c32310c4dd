"""The place that a record's history is of, held against the record's own: who may write the record may write another.

Of a copy nothing but the record tells where it is. With another place in it, or without it, a look there tells that
nothing is left while everything goes on where it is, and the ARNs that scripts are given are those of another account.
"""

from __future__ import annotations

from tapctl.errors import ManifestError
from tapctl.manifest.history import history_folder, last_version, place_of
from tapctl.manifest.manifest import Manifest
from tapctl.manifest.store import Store
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.target import is_deployed


def check_history_place(invocation: Invocation, store: Store, manifest: Manifest) -> Manifest | None:
    """Make sure that the newest kept version of the record is of the same place, if anything was deployed by it.

    ``manifest``: an empty one where there is no record. Returns that version; None where there is none of that place.

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
