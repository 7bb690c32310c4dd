from __future__ import annotations

import pytest

from tapctl.commands.parity_live import _as_observed, _covers, _unread
from tapctl.engine.drift import WHOLE_RESOURCE
from tapctl.engine.observe import Absent, Observation, Unreadable
from tapctl.errors import AwsRefused
from tests.manifest.examples import entry, manifest


@pytest.mark.parametrize(
    ("place", "row", "covered"),
    [
        (("a/b", "tags"), ("a/b", "tags.Owner"), True),
        (("a/b", "tags.Owner"), ("a/b", "tags"), True),
        (("a/b", "tags.Owner"), ("a/b", "tags.Owner2"), False),
        (("a/c", "tags"), ("a/b", "tags"), False),
        (("a/b", WHOLE_RESOURCE), ("a/b", "tags"), True),
        (("a/b", WHOLE_RESOURCE), ("a/b", ""), True),
        (("a/b", "tags"), ("a/b", ""), False),
    ],
)
def test_a_cause_is_of_a_difference_within_it(place: tuple[str, str], row: tuple[str, str], *, covered: bool) -> None:
    assert _covers(place, row) is covered


def test_what_is_gone_is_absent_and_what_could_not_be_read_is_as_recorded() -> None:
    gone, hidden = entry("gone"), entry("hidden", description="x")
    refused = AwsRefused("kms", "DescribeKey", "AccessDeniedException", "no")
    observed: dict[str, Observation] = {gone.address: Absent(), hidden.address: Unreadable("kms:DescribeKey", refused)}
    assert dict(_as_observed(manifest(gone, hidden), observed).entries) == {hidden.address: hidden}
    assert dict(_unread(observed)) == {(hidden.address, WHOLE_RESOURCE): "kms:DescribeKey"}
