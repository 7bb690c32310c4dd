"""``destroy`` of dev that is not agreed to, or not ours to remove: nothing is touched."""

from __future__ import annotations

from tests.cli.leftovers import left
from tests.cli.world import World


def test_destroy_asks(dev: World) -> None:
    before = left(dev)
    nobody = dev.tapctl("destroy", "--env", "dev")
    assert (nobody.code, nobody.changes) == (64, ())
    assert "--yes" in nobody.err
    no = dev.tapctl("destroy", "--env", "dev", typed="no\n")
    assert (no.code, no.changes) == (6, ())
    assert no.verdict.startswith("DESTROY dev: CANCELLED")
    other = dev.tapctl("destroy", "--env", "dev", "--confirm", "prod")
    assert (other.code, other.changes) == (64, ())
    # An environment that was not named wants to be.
    unnamed = dev.tapctl("destroy", "--yes")
    assert (unnamed.code, unnamed.changes) == (64, ())
    assert "--confirm dev" in unnamed.err
    typed = dev.tapctl("destroy", typed="yes\n")
    assert (typed.code, typed.changes) == (6, ())
    assert left(dev) == before


def test_what_became_somebody_elses_is_left_untouched(dev: World) -> None:
    arn = "arn:aws:sns:us-east-2:123456789012:alarms-dev"
    dev.client("sns").tag_resource(ResourceArn=arn, Tags=[{"Key": "EnvironmentSuffix", "Value": "theirs"}])
    before = left(dev)
    for verb in ("destroy", "apply"):
        refused = dev.tapctl(verb, "--env", "dev", "--yes")
        assert (refused.code, refused.changes) == (6, ())
        assert "sns-topic/alarms-dev exists and is not ours" in refused.err
    assert left(dev) == before
