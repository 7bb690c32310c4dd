"""A record that cannot be written where it belongs: nothing is lost, and one command puts it back."""

from __future__ import annotations

import json
import re
import resource
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.failures.calls import FIRST_APPLY_CHANGES
from tests.failures.trouble import at_change
from tests.support.door import Proceed, Served, Visit
from tests.support.strides import strided
from tests.support.world import Answer, World

APPLY = ("apply", "--env", "dev", "--yes")


def in_the_way(world: World) -> Path:
    """The obstacle that keeps the record from being written, whoever we are: a folder in the place of its draft."""
    return world.folder / "manifests" / ".dev.json.tmp"


def block(world: World) -> None:
    """Put the obstacle there; a draft that is being written just now is awaited."""
    while not in_the_way(world).is_dir():
        with suppress(FileExistsError):
            in_the_way(world).mkdir(parents=True)


def restore(answer: Answer) -> str:
    """The command that puts the rescue copy back, as it was told."""
    (command,) = re.findall(r"put it back: (.+)$", answer.err, re.MULTILINE)
    return str(command)


def phases(record: dict[str, Any]) -> dict[str, str]:
    return {here: entry["phase"] for here, entry in record["entries"].items()}


def rescued(world: World) -> Path:
    (copy,) = world.folder.glob("dev.rescue-*.json")
    return copy


@pytest.mark.soak
@pytest.mark.parametrize("nth", range(1, FIRST_APPLY_CHANGES + 1))
def test_the_disk_is_full_half_way(world: World, nth: int) -> None:
    """Writing is impossible from the nth changing call on."""
    answer = world.meeting(at_change(nth, lambda: block(world)), *APPLY)
    assert answer.code == 4, answer.err
    for told in ("error manifest-unwritten", "manifests/dev.json", "the manifest could not be written", "rescue"):
        assert told in answer.err
    assert answer.err.count("error manifest-unwritten") == 1
    # Every call that was made is of something recorded before, or in the copy: none is forgotten.
    copy = json.loads(rescued(world).read_text())
    on_disk = world.manifest() if world.path().exists() else {"entries": {}}
    assert set(on_disk["entries"]) <= set(copy["entries"]) | set(phases(on_disk))
    in_the_way(world).rmdir()
    subprocess.run(restore(answer), shell=True, check=True, cwd=world.folder)  # noqa: S602 -- as the user would
    assert world.manifest() == copy
    again = world.applied("dev")
    assert "CONVERGED" in again.verdict
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


@pytest.mark.soak
def test_the_disk_is_full_from_the_start(world: World) -> None:
    """No call is made without a record of the intent."""
    block(world)
    answer = world.tapctl(*APPLY)
    assert (answer.code, answer.changes) == (4, ())
    assert "error manifest-unwritten" in answer.err
    in_the_way(world).rmdir()
    assert world.applied("dev").code == 0


@pytest.mark.soak
def test_the_disk_is_full_at_the_last_write_of_an_apply(world: World) -> None:
    """All is made and read back; only the record of the last thing is missing."""
    world.deploy()
    world.edit("dev.toml", "error_threshold = 10", "error_threshold = 11")
    answer = world.meeting(at_change(1, lambda: block(world), after=True), *APPLY)
    assert answer.code == 4, answer.err
    alarm = "cloudwatch-alarm/payment-processor-errors-dev"
    assert phases(world.manifest())[alarm] == "making"
    copy = json.loads(rescued(world).read_text())
    assert (copy["entries"][alarm]["phase"], copy["entries"][alarm]["spec"]["threshold"]) == ("made", 11)
    in_the_way(world).rmdir()
    subprocess.run(restore(answer), shell=True, check=True, cwd=world.folder)  # noqa: S602 -- as the user would
    # The copy is of an apply that could not write its end; the same command, which was said to be safe, does.
    found = world.drift()
    assert (found.code, found.of_type("finding")) == (7, [])
    assert world.applied("dev").changes == ("kms:TagResource",), "the record's fingerprint"
    assert world.drift().code == 0


@pytest.mark.soak
def test_a_lost_record_cannot_be_written_anew(world: World) -> None:
    world.deploy()
    world.path().unlink()
    block(world)
    answer = world.tapctl(*APPLY)
    assert (answer.code, answer.changes) == (4, ())
    assert "error manifest-unwritten" in answer.err
    in_the_way(world).rmdir()
    assert world.applied("dev").changes == ()


def test_the_disk_is_full_when_only_the_configuration_is_recorded(world: World) -> None:
    """The same network by another reference: nothing is to be done, and what it was done from is not on record."""
    world.deploy()
    network = world.manifest()["networking"]
    world.edit("dev.toml", "cloudformation:networking-dev", "static")
    ids = f'vpc_id = "{network["vpc_id"]}"\nprivate_subnet_ids = {network["subnet_ids"]}'
    world.edit("dev.toml", "[database]", f"[network]\n{ids}\n[database]")
    block(world)
    answer = world.tapctl(*APPLY)
    assert (answer.code, answer.changes) == (4, ()), answer.err
    for told in ("error manifest-unwritten", "all changes are made; the manifest could not be written", "rescue"):
        assert told in answer.err
    assert "NOT RECORDED" in answer.verdict
    in_the_way(world).rmdir()
    subprocess.run(restore(answer), shell=True, check=True, cwd=world.folder)  # noqa: S602 -- as the user would
    assert world.manifest()["networking"]["reference"] == "static"
    assert world.applied("dev").changes == ()


@pytest.mark.parametrize("nth", strided((1, 12), 3, 2))
def test_the_disk_is_full_during_a_destroy(world: World, nth: int) -> None:
    world.deploy()
    answer = world.meeting(at_change(nth, lambda: block(world)), "destroy", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    assert "error manifest-unwritten" in answer.err
    in_the_way(world).rmdir()
    subprocess.run(restore(answer), shell=True, check=True, cwd=world.folder)  # noqa: S602 -- as the user would
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert world.owned() == {"kms-key": 1}


@pytest.mark.soak
def test_the_last_write_of_a_destroy_fails(world: World) -> None:
    world.deploy()

    def trouble(visit: Visit, proceed: Proceed) -> Served:
        if visit.name == "kms:ScheduleKeyDeletion":
            block(world)
        return proceed()

    answer = world.meeting(trouble, "destroy", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    assert "rescue" in answer.err
    in_the_way(world).rmdir()
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0


def test_a_destroy_whose_certificate_or_last_record_cannot_be_written_is_no_success(world: World) -> None:
    world.deploy()
    proof = world.folder / "manifests" / "dev.certificate.json"
    proof.mkdir()
    answer = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (4, ()), "told before the first removal"
    assert answer.verdict.startswith("DESTROY dev: FAILED")
    assert "dev.certificate.json could not be written" in answer.err
    proof.rmdir()

    answer = world.meeting(at_change(3, proof.mkdir), "destroy", "--env", "dev", "--yes")
    assert answer.code == 4, answer.err
    assert answer.verdict.startswith("DESTROY dev: NOT CERTIFIED")
    assert world.owned() == {"kms-key": 1}
    proof.rmdir()
    # Nothing is left to remove; that it was asked for by another configuration is to be recorded, and cannot be.
    world.edit("dev.toml", "error_threshold = 10", "error_threshold = 11")
    block(world)
    answer = world.tapctl("destroy", "--env", "dev", "--yes")
    assert (answer.code, answer.changes) == (4, ())
    assert answer.verdict.startswith("DESTROY dev: NOT RECORDED")
    in_the_way(world).rmdir()
    assert world.tapctl("destroy", "--env", "dev", "--yes").code == 0
    assert proof.is_file()


@pytest.mark.soak
def test_nothing_can_be_written_anywhere(world: World) -> None:
    """Neither the record nor a rescue copy: what was there is whole, and what was made is found by its ids and tags."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))

    try:
        answer = world.meeting(at_change(9, fill), *APPLY)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert answer.code == 4, answer.err
    for told in ("no rescue copy of the manifest could be written", "File too large", "make room"):
        assert told in answer.err
    assert set(phases(world.manifest()).values()) <= {"making", "made"}
    assert not list(world.folder.glob("*.rescue-*"))
    world.applied("dev")
    assert world.drift().code == 0
    assert world.owned() == world.wanted()


def test_a_lock_that_cannot_be_made_stops_before_anything(world: World) -> None:
    (world.folder / "manifests").mkdir()
    (world.folder / "manifests" / "dev.lock").mkdir()
    answer = world.tapctl(*APPLY)
    assert (answer.code, answer.changes) == (3, ())
    for told in ("error manifest-invalid", "dev.lock", "Is a directory", "nothing was changed"):
        assert told in answer.err
