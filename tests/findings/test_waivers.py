"""Waivers that cover nothing are told, and only by a look that could tell."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tapctl.aws.client import Aws, Connection, Identity
from tapctl.clock import today
from tapctl.config.waivers import path_of
from tapctl.engine.drift import Finding, Reason
from tapctl.errors import ConfigError
from tapctl.findings.waivers import waivers_for, warn_of_idle_waivers
from tapctl.manifest import open_store
from tapctl.render import choose_screen
from tapctl.render.screen import Target
from tapctl.session.invocation import Invocation
from tapctl.session.session import Session
from tests.support.config_folder import Folder

Open = Callable[[str], Session]


@pytest.fixture
def said() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: io.StringIO) -> Open:
    """Open a session on dev, or on a copy of it."""
    folder = Folder(tmp_path / "environments")
    monkeypatch.chdir(tmp_path)

    def opened(suffix: str) -> Session:
        screen = choose_screen(io.StringIO(), said, {"TERM": "dumb"})
        aws = Aws(Connection("us-east-2"))
        aws.identity = Identity("123456789012", "arn:aws:iam::123456789012:user/dana")
        store = open_store(str(tmp_path / "manifests"), None)
        return Session(Invocation("drift"), screen, folder.load()["dev"], Target("dev", suffix), aws, store)

    return opened


def waive(*addresses: str) -> None:
    """Waive the memory of each of these functions in dev, for some days."""
    path_of(Path("environments")).write_text(
        "".join(
            f'[[waiver]]\nenvironment = "dev"\naddress = "lambda-function/{address}"\nfield = "memory_mb"\n'
            f'owner = "sec"\nreason = "test"\nuntil = {today() + timedelta(days=9)}\n\n'
            for address in addresses
        )
    )


def test_a_waiver_of_another_environment_or_copy_is_not_this_ones_to_judge(look: Open, said: io.StringIO) -> None:
    waive("payment-processor-pr-9", "payment-processor-staging", "payment-procesor-dev")
    dev = look("dev")
    Path("manifests").mkdir()
    Path("manifests", "pr-9.json").write_text("{}")
    warn_of_idle_waivers(dev, ())
    (told,) = said.getvalue().splitlines()
    assert told.endswith("payment-procesor-dev (sec) matches nothing: no environment that is known has such a name")


def test_where_the_copies_cannot_be_listed_nothing_is_said_of_their_waivers(look: Open, said: io.StringIO) -> None:
    waive("payment-processor-pr-9")
    dev = look("dev")
    Path("manifests").write_text("no folder")
    warn_of_idle_waivers(dev, ())
    assert said.getvalue() == ""


CLUSTER = "db-cluster/db-cluster-dev"
FUNCTION = "lambda-function/payment-processor-dev"
LOGS = "log-group//aws/rds/cluster/db-cluster-dev/postgresql"


@pytest.mark.parametrize("usable", [True, False])
@pytest.mark.parametrize(
    ("place", "pattern", "covered", "not_covered"),
    [
        (f"{LOGS}.retention_days", "*_days", (30, 400), (1, 14)),
        (f"{FUNCTION}.memory_mb", "memory_mb", (512, 1024), (1, 64)),
        (f"{FUNCTION}.tags.auto:owner", "tags.*", ("", "any", None), ()),
        (f"{FUNCTION}.description", "description", ("", "any"), ()),
        # No file decides it: every failure is another one.
        (f"{FUNCTION}.update_failure", "update*", (), ("SubnetOutOfIPAddresses", "DisabledKMSKey")),
        (f"{FUNCTION}.snap_start", "snap_start", (), ("PublishedVersions",)),
        # An upgrade has no way back, and without a snapshot nothing has.
        (f"{CLUSTER}.engine_version", "engine_version", (), ("16.12", "17.4", "9.6")),
        (f"{CLUSTER}.tags.tapctl:final-snapshot", "tags.*", (), ("false", "", "maybe", None)),
    ],
)
def test_a_waiver_that_names_no_value_covers_what_some_files_may_have_and_any_tag(
    look: Open,
    place: str,
    pattern: str,
    covered: tuple[object, ...],
    not_covered: tuple[object, ...],
    *,
    usable: bool,
) -> None:
    address, _, path = place.partition(".")
    path_of(Path("environments")).write_text(
        f'[[waiver]]\nenvironment = "dev"\naddress = "{address}"\nfield = "{pattern}"\nowner = "sec"\nreason = "test"\n'
        f"until = {today() + timedelta(days=9)}\n"
    )
    dev = look("dev")
    dev.loaded = dev.loaded if usable else ConfigError([])
    (waiver,) = waivers_for(dev)
    told = {live: waiver.covers(address, path, live) for live in (*covered, *not_covered)}
    assert told == dict.fromkeys(covered, True) | dict.fromkeys(not_covered, False)


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        (Reason.CHANGED, ": a waiver has to name what is there (live)"),
        (Reason.UNCONFIRMED, ""),
    ],
)
def test_a_waiver_is_told_to_name_a_value_only_where_that_helps(
    look: Open, said: io.StringIO, reason: Reason, why: str
) -> None:
    waive("payment-processor-dev")
    place = "lambda-function/payment-processor-dev"
    warn_of_idle_waivers(look("dev"), [Finding(place, "lambda-function", "memory_mb", reason, 30, 31)])
    assert said.getvalue().rstrip().endswith(f"matches nothing here{why}")
