"""``destroy`` while something still writes: a log group that comes back is looked for again."""

from __future__ import annotations

from tests.stories.world import World

LOGS = "/aws/lambda/payment-processor-dev"


def test_a_late_writer_during_the_destroy_is_swept_up_after(dev: World) -> None:
    logs, late = dev.client("logs"), iter([True])

    def write() -> None:
        if next(late, False):
            logs.create_log_group(logGroupName=LOGS)

    dev.door.after["logs:DeleteLogGroup"] = write
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    dev.door.after.clear()
    assert gone.code == 0, gone.err
    assert gone.changes.count("logs:DeleteLogGroup") == 3
    assert logs.describe_log_groups()["logGroups"] == []


def test_a_writer_that_never_stops_is_named(dev: World) -> None:
    """Whatever is left at the end is no success."""
    logs = dev.client("logs")

    def write() -> None:
        if LOGS not in {one["logGroupName"] for one in logs.describe_log_groups()["logGroups"]}:
            logs.create_log_group(logGroupName=LOGS)

    # Each time that what is left is looked for.
    dev.door.after["resourcegroupstaggingapi:GetResources"] = write
    gone = dev.tapctl("destroy", "--env", "dev", "--yes")
    dev.door.after.clear()
    assert gone.code == 4
    assert gone.verdict.startswith("DESTROY dev: NOT DESTROYED")
    assert LOGS in gone.err
    assert dev.tapctl("destroy", "--env", "dev", "--yes").code == 0
    nothing = dev.tapctl("outputs", "--env", "dev")
    assert nothing.code == 3
    assert "nothing of dev is deployed" in nothing.err
