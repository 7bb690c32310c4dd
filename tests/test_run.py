from __future__ import annotations

import pytest

from tapctl.aws import Identity
from tapctl.run import short


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("sts::1:assumed-role/AWSReservedSSO_Admin_0f/dana", "sso:dana"),
        ("sts::1:assumed-role/deploy/ci-42", "role/deploy"),
        ("iam::1:user/team/alice", "user/team/alice"),
        ("iam::1:root", "root"),
    ],
)
def test_who_we_are_is_said_in_a_word(who: str, said: str) -> None:
    assert short(Identity("1", f"arn:aws:{who}")) == said
