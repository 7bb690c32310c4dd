from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tapctl.aws.client import Aws
from tapctl.commands import fleet
from tapctl.commands.fleet import environments_to_look_at, for_each_environment, look_for_lost
from tapctl.engine.record import Phase
from tapctl.errors import AwsRefused, ExitCode, ManifestError, WrongTarget
from tapctl.evidence.certificate import end_of_destroyed
from tapctl.evidence.tag_bearers import bearing_suffixes
from tapctl.manifest.history import last_version
from tapctl.manifest.local import LocalStore
from tapctl.manifest.manifest import Manifest
from tapctl.render.kept import KeptScreen
from tapctl.render.screen import Screen
from tapctl.session.invocation import Invocation
from tests.manifest.examples import entry, manifest
from tests.reconcilers.scripted import DENIED, refuse


class Noted(KeptScreen):
    """A screen that remembers its notes, and the warnings and errors that it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    @property
    def shown(self) -> list[str]:
        """What was shown, each in a word."""
        return [
            str(args[0]) if name == "warn" else args[0].cause
            for name, args, _ in self._kept
            if name in ("warn", "error")
        ]

    @property
    def verdicts(self) -> list[tuple[str, int]]:
        return [(args[0].target.suffix, args[0].exit) for name, args, _ in self._kept if name == "verdict"]


def records(*suffixes: str) -> dict[str, Manifest | ManifestError]:
    return {suffix: manifest().model_copy(update={"suffix": suffix}) for suffix in suffixes}


def say(part: Invocation, _: Manifest, screen: Screen) -> int:
    screen.warn(f"this is {part.suffix}")
    return ExitCode.OK


def test_environments_without_a_record_are_named_up_to_a_number(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "manifests")
    for name in "abcdefgh":
        (tmp_path / f"{name}.toml").touch()
    invocation = Invocation("drift", config=tmp_path, state=str(tmp_path / "manifests"))
    store.write(manifest(entry(), suffix="a"), None)
    remark = environments_to_look_at(invocation, Noted().screen).remark
    assert remark == " · not looked at, no record: b, c, d, e, f and 2 more"
    for name in (*"bcdefgh", "pr-1"):
        store.write(manifest(entry(), suffix=name), None)
    found = environments_to_look_at(invocation, Noted().screen)
    assert (found.remark, found.code, {*found.members}) == ("", ExitCode.OK, {*"abcdefgh", "pr-1"})


@pytest.mark.parametrize(
    ("phase", "certificate", "advised"),
    [
        (Phase.KEPT, {}, "destroy"),
        (Phase.LEAVING, {"complete": True, "run": "run-1"}, "destroy"),
        (Phase.LEAVING, {"complete": True, "run": "run-0"}, "apply"),
        (Phase.LEAVING, {"complete": False, "run": "run-1"}, "apply"),
        (Phase.LEAVING, {}, "apply"),
    ],
)
def test_a_destroyed_copy_is_known_by_its_newest_version_or_the_certificate_of_its_run(
    tmp_path: Path, phase: Phase, certificate: dict[str, Any], advised: str
) -> None:
    store, last = LocalStore(tmp_path / "manifests"), manifest(entry(phase=phase), suffix="pr-7")
    first = store.write(last, None)
    store.write(last.model_copy(update={"serial": 4, "run": "run-2"}), first)
    (tmp_path / "manifests" / "pr-7.json").unlink()
    if certificate:
        own = last.model_dump(include={"format", "environment", "suffix", "account", "region"})
        store.put_sidecar("pr-7", "certificate", json.dumps(own | {"gone": []} | certificate).encode())
    drift = Invocation("drift", config=tmp_path, state=str(tmp_path))
    back = end_of_destroyed(drift, store, last_version(store, "pr-7"))
    assert ("tapctl destroy --env dev --suffix pr-7" in back) == (advised == "destroy")
    # Where nobody gives credentials, AWS says nothing that bears it out.
    hint = str(look_for_lost(drift, Noted().screen, store, ["pr-7"]).errors["pr-7"].hint)
    assert ("it was destroyed" in hint, "or apply" in hint) == (False, True)
    assert "what there is is told by: tapctl drift --env dev --suffix pr-7" in hint


def test_reports_come_in_order_whoever_ends_first_and_progress_as_it_comes() -> None:
    told = threading.Event()

    class Listening(Noted):
        def note(self, text: str) -> None:
            super().note(text)
            if "1 of 3" in text:
                told.set()

    def act(part: Invocation, record: Manifest, screen: Screen) -> int:
        assert part.suffix == "c" or told.wait(60)
        return say(part, record, screen)

    screen, invocation = Listening(), Invocation("drift", jobs=3)
    codes = for_each_environment(invocation, screen.screen, records("c", "b", "a"), act, verdicts=True)
    assert list(codes.items()) == [("a", 0), ("b", 0), ("c", 0)]
    assert screen.shown == ["this is a", "this is b", "this is c"]
    assert screen.notes[:2] == ["drift: 3 environments, 3 at a time", "1 of 3  c: looked at"]


@pytest.mark.parametrize(("verdicts", "told"), [(True, [("a", 9), ("b", 1)]), (False, [])])
def test_one_that_fails_is_told_and_is_not_the_end(verdicts: bool, told: list[tuple[str, int]]) -> None:
    def act(part: Invocation, record: Manifest, screen: Screen) -> int:
        if part.suffix == "a":
            raise WrongTarget("no way")
        if part.suffix == "b":
            raise ZeroDivisionError("a secret")
        return say(part, record, screen)

    screen = Noted()
    members = {**records("a", "b", "d"), "c": ManifestError("the record is empty")}
    codes = for_each_environment(Invocation("drift"), screen.screen, members, act, verdicts=verdicts)
    assert codes == {"a": 9, "b": 1, "c": 3, "d": 0}
    assert screen.shown == [
        "no way",
        "unexpected ZeroDivisionError: this is a bug of tapctl",
        "the record is empty",
        "this is d",
    ]
    assert screen.verdicts == ([*told, ("c", 3)] if verdicts else [])


def test_what_is_awaited_is_named_in_a_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "BEAT_S", 0.01)
    heard = threading.Event()

    class Listening(Noted):
        def note(self, text: str) -> None:
            super().note(text)
            if "still" in text:
                heard.set()

    screen = Listening()

    def act(*_: object) -> int:
        return int(not heard.wait(60))

    assert set(
        for_each_environment(Invocation("drift"), screen.screen, records(*"abcdefg"), act, verdicts=False).values()
    ) == {0}
    assert screen.notes[1] == "0 of 7  still at work: a, b, c, d, e and 2 more"


def test_an_interrupt_ends_at_once_and_shows_what_has_ended() -> None:
    never = threading.Event()

    class Impatient(Noted):
        def note(self, text: str) -> None:
            super().note(text)
            if "1 of 2" in text:
                raise KeyboardInterrupt

    def act(part: Invocation, record: Manifest, screen: Screen) -> int:
        return say(part, record, screen) if part.suffix == "b" else int(never.wait(300))

    screen = Impatient()
    with pytest.raises(KeyboardInterrupt):
        for_each_environment(Invocation("drift"), screen.screen, records("a", "b"), act, verdicts=False)
    assert screen.shown == ["this is b"]
    never.set()


def test_nothing_is_bulk_read_that_is_kept() -> None:
    seen = {}

    def act(part: Invocation, record: Manifest, screen: Screen) -> int:
        assert part.pool is not None
        seen.update(vars(part.pool)["_ids"])
        return say(part, record, screen)

    members = {"a": manifest(entry("a"), entry("b", Phase.KEPT), entry("c"))}
    for_each_environment(Invocation("drift"), Noted().screen, members, act, verdicts=False)
    (ids,) = seen.values()
    assert ids == {"kms-key": ("a", "c")}


def test_of_what_a_destroy_leaves_only_a_key_that_is_kept_alive_without_its_copies_is_there(aws: Aws) -> None:
    def key(suffix: str) -> str:
        tags: Any = [{"TagKey": "EnvironmentSuffix", "TagValue": suffix}]
        return str(aws.kms.create_key(Description=suffix, Tags=tags)["KeyMetadata"]["KeyId"])

    aws.kms.schedule_key_deletion(KeyId=key("waits"))
    key("lives")
    key("with-copies")
    aws.rds.create_db_cluster(
        DBClusterIdentifier="c", Engine="aurora-postgresql", MasterUsername="owner", MasterUserPassword="12345678"
    )
    aws.rds.create_db_cluster_snapshot(
        DBClusterSnapshotIdentifier="s",
        DBClusterIdentifier="c",
        Tags=[{"Key": "EnvironmentSuffix", "Value": "with-copies"}],
    )
    aws.logs.create_log_group(logGroupName="g", tags={"EnvironmentSuffix": "logs"})
    # Another team calls its previews alike.
    aws.logs.create_log_group(logGroupName="w", tags={"EnvironmentSuffix": "theirs", "ManagedBy": "terraform"})
    found = bearing_suffixes(aws, ["waits", "lives", "with-copies", "logs", "theirs", "none"])
    assert (found.there, found.keys_alone, found.copied) == ({"logs"}, {"lives"}, {"with-copies"})
    assert found.arns == {}, "nothing of it bears tapctl's own tag"


def test_a_key_that_a_destroy_has_kept_for_its_copies_tells_where_the_copy_of_the_stack_was(aws: Aws) -> None:
    tags: Any = [{"TagKey": "EnvironmentSuffix", "TagValue": "pr-9"}, {"TagKey": "ManagedBy", "TagValue": "tapctl"}]
    key = aws.kms.create_key(Tags=tags)["KeyMetadata"]
    assert bearing_suffixes(aws, ["pr-9"]).arns == {"pr-9": key["Arn"]}
    aws.kms.schedule_key_deletion(KeyId=key["KeyId"])
    assert bearing_suffixes(aws, ["pr-9"]).arns == {}


@pytest.mark.parametrize(("code", "found"), [("NotFoundException", set()), (DENIED, None)])
def test_a_key_whose_tags_outlive_it_is_gone(aws: Aws, code: str, found: set[str] | None) -> None:
    aws.kms.create_key(Tags=[{"TagKey": "EnvironmentSuffix", "TagValue": "pr-9"}])
    refuse(aws.kms, "DescribeKey", code)
    if found is None:
        with pytest.raises(AwsRefused):
            bearing_suffixes(aws, ["pr-9"])
    else:
        assert bearing_suffixes(aws, ["pr-9"]).keys_alone == found
