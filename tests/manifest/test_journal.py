from __future__ import annotations

import random
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.record import Entry, Phase
from tapctl.errors import AwsNoAnswer, LockHeld, StoreFailed
from tapctl.manifest import open_store
from tapctl.manifest.journal import Journal
from tapctl.manifest.manifest import Manifest, dump, empty, parse
from tests.manifest.examples import DANA, entry, manifest, no_room
from tests.manifest.scripted_store import PausedWrite, ScriptedStore, Step, break_with, fail, fail_once_written, work

AT = "2031-05-06T07:08:09Z"


@pytest.fixture
def store(tmp_path: Path) -> ScriptedStore:
    return ScriptedStore(tmp_path / "manifests")


@pytest.fixture
def journal(store: ScriptedStore) -> Journal:
    base = empty(environment="dev", suffix="dev", account="123456789012", region="us-east-2")
    journal = Journal(store, base, None, clock=lambda: AT)
    journal.update(config_hash="9f3c", networking={"subnet_ids": ("a", "b")}, run="run-1", written_by="dana")
    return journal


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.001)


def test_a_change_is_stored_when_it_returns(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one"), entry("two"))
    assert store.stored() == Manifest(
        environment="dev",
        suffix="dev",
        account="123456789012",
        region="us-east-2",
        serial=1,
        config_hash="9f3c",
        run="run-1",
        written_by="dana",
        written_at=AT,
        networking={"subnet_ids": ["a", "b"]},
        entries={"kms-key/one": entry("one"), "kms-key/two": entry("two")},
    )
    assert journal.manifest == store.stored()
    journal.drop("kms-key/one")
    assert list(store.stored().entries) == ["kms-key/two"]
    assert store.stored().serial == 2


def test_a_journal_continues_from_the_manifest_that_was_read(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one"))
    stored = store.read("dev")
    assert stored is not None
    Journal(store, stored.manifest, stored.version).put(entry("two"))
    assert set(store.stored().entries) == {"kms-key/one", "kms-key/two"}
    assert store.stored().serial == 2
    assert store.stored().written_at.endswith("Z")


def test_a_change_of_nothing_writes_nothing(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one", size=1))
    journal.update(run="run-2", config_hash="other")
    journal.put(entry("one", size=1))
    journal.put()
    journal.drop("kms-key/never-there")
    assert len(store.tried) == 1


def test_one_and_true_are_different_values(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one", size=1))
    journal.put(entry("one", size=True))
    assert store.stored().entries["kms-key/one"].spec["size"] is True


def test_a_changed_header_goes_with_the_next_write(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one"))
    journal.update(config_hash="other", run="run-2")
    assert journal.manifest.config_hash == "other"
    assert store.stored().config_hash == "9f3c"
    journal.put(entry("two"))
    assert (store.stored().config_hash, store.stored().run, store.stored().written_by) == ("other", "run-2", "dana")


def test_a_flush_writes_a_changed_configuration_and_is_silent_otherwise(journal: Journal, store: ScriptedStore) -> None:
    journal.flush()
    assert store.stored().networking == {"subnet_ids": ["a", "b"]}
    journal.update(run="run-2", written_by="sam", config_hash="9f3c", networking={"subnet_ids": ("a", "b")})
    journal.flush()
    assert len(store.tried) == 1
    journal.update(networking={"subnet_ids": ("a",)})
    journal.flush()
    assert store.stored().networking == {"subnet_ids": ["a"]}


def test_that_a_run_is_not_at_its_end_goes_with_its_first_write_and_its_end_is_one(
    journal: Journal, store: ScriptedStore
) -> None:
    journal.update(unfinished=True)
    journal.put(entry("one"))
    assert '"unfinished": true' in dump(store.stored())
    journal.update(unfinished=False)
    journal.put(entry("one"))
    assert store.stored().unfinished, "nothing else has changed, and nobody has told the end"
    journal.flush()
    assert (store.stored().unfinished, store.stored().serial) == (False, 2)
    assert "unfinished" not in dump(store.stored())
    journal.flush()
    assert store.stored().serial == 2


def test_changes_queued_during_a_write_go_with_the_next_one(journal: Journal, store: ScriptedStore) -> None:
    slow = PausedWrite()
    store.steps = [slow]
    with ThreadPoolExecutor(21) as pool:
        first = pool.submit(journal.put, entry("first"))
        assert slow.started.wait(10)
        others = [pool.submit(journal.put, entry(f"other-{at}")) for at in range(20)]
        until(lambda: len(journal.manifest.entries) == 21)
        assert not any(future.done() for future in (first, *others))
        slow.go_on.set()
        for future in (first, *others):
            future.result(10)
    assert [len(tried.entries) for tried in store.tried] == [1, 21]
    assert store.stored().serial == 2


def test_a_failed_write_fails_the_threads_of_its_batch_and_no_other(journal: Journal, store: ScriptedStore) -> None:
    slow, failing = PausedWrite(), PausedWrite(fail)
    store.steps = [slow, failing]
    with ThreadPoolExecutor(9) as pool:

        def queue(*names: str) -> list[Future[None]]:
            expected = len(journal.manifest.entries) + len(names)
            started = [pool.submit(journal.put, entry(name, Phase.MAKING)) for name in names]
            until(lambda: len(journal.manifest.entries) == expected)
            return started

        before = queue("first")
        assert slow.started.wait(10)
        held = queue("a", "b", "c")
        slow.go_on.set()
        assert failing.started.wait(10)
        after = queue("d", "e")
        failing.go_on.set()
        assert [future.exception(10) for future in (*before, *after)] == [None] * 3
        errors = [future.exception(10) for future in held]
    assert [type(error) for error in errors] == [StoreFailed] * 3
    assert len({id(error) for error in errors}) == 3, "each has an error of its own"
    assert {(str(e), e.evidence, e.hint) for e in errors if isinstance(e, StoreFailed)} == {
        ("the disk is full", "ENOSPC", "make room")
    }
    assert set(store.stored().entries) == {"kms-key/first", "kms-key/d", "kms-key/e"}
    assert journal.manifest == store.stored()


MAKING, MADE, LEAVING, KEPT = (entry("one", phase) for phase in Phase)


@pytest.mark.parametrize("step", [fail, fail_once_written])
@pytest.mark.parametrize(
    ("before", "intent"),
    [(None, MAKING), (MADE, MAKING), (LEAVING, MAKING), (MADE, LEAVING), (MAKING, LEAVING), (KEPT, MAKING)],
)
def test_an_intent_that_was_not_stored_is_forgotten(
    journal: Journal, store: ScriptedStore, before: Entry | None, intent: Entry, step: Step
) -> None:
    if before is not None:
        journal.put(before)
    store.steps = [step]
    with pytest.raises(StoreFailed):
        journal.put(intent)
    assert journal.manifest.entries.get("kms-key/one") == before
    journal.put(entry("two"))
    assert store.stored().entries.get("kms-key/one") == before


@pytest.mark.parametrize("step", [fail, fail_once_written])
@pytest.mark.parametrize(
    ("before", "fact"),
    [
        (None, MADE),
        (MAKING, MADE),
        (MADE, entry("one", size=2)),
        (LEAVING, KEPT),
        (LEAVING, None),
        (MAKING, entry("one", Phase.MAKING, size=2)),
    ],
)
def test_a_fact_that_was_not_stored_is_in_every_later_write(
    journal: Journal, store: ScriptedStore, before: Entry | None, fact: Entry | None, step: Step
) -> None:
    if before is not None:
        journal.put(before)
    store.steps = [step, fail]
    with pytest.raises(StoreFailed):
        journal.drop("kms-key/one") if fact is None else journal.put(fact)
    assert journal.manifest.entries.get("kms-key/one") == fact
    with pytest.raises(StoreFailed):
        journal.put(entry("two", Phase.MAKING))
    journal.flush()
    assert store.stored().entries == ({} if fact is None else {"kms-key/one": fact})
    tried = len(store.tried)
    journal.flush()
    assert len(store.tried) == tried


def test_no_two_writes_share_a_serial_even_where_one_failed(journal: Journal, store: ScriptedStore) -> None:
    store.steps = [work, fail, fail_once_written, fail, work]
    for at in range(5):
        try:
            journal.put(entry(f"key-{at}"))
        except StoreFailed:
            continue
    serials = [tried.serial for tried in store.tried]
    assert serials == [1, 2, 3, 4, 5]
    assert store.stored().serial == 5
    assert len(store.stored().entries) == 5


def test_many_threads_on_a_bad_store_lose_nothing_and_claim_nothing(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("first"))
    dice = random.Random(20310506)  # noqa: S311 -- chance for a test, the same each time
    store.steps = [dice.choice([work, work, fail, fail_once_written]) for _ in range(400)]
    wrong: list[str] = []
    truth: dict[str, Entry | None] = {}
    start = threading.Barrier(12)

    def live(name: str) -> None:
        start.wait()
        mine: Entry | None = None
        for size in range(12):
            following = (
                [None, MADE, LEAVING] if mine is None or mine.phase is Phase.LEAVING else [MAKING, MADE, LEAVING]
            )
            kind = following[size % 3]
            after = None if kind is None else entry(name, kind.phase, size=size)
            address = f"kms-key/{name}"
            try:
                journal.drop(address) if after is None else journal.put(after)
            except StoreFailed:
                forgotten = after is not None and after.phase in (Phase.MAKING, Phase.LEAVING)
                if not forgotten or (mine is not None and after is not None and mine.phase is after.phase):
                    mine = after
            else:
                mine = after
                if store.stored().entries.get(address) != mine:
                    wrong.append(f"{address} was not stored when it returned")
            if journal.manifest.entries.get(address) != mine:
                wrong.append(f"{address} is not what is known")
        truth[address] = mine

    threads = [threading.Thread(target=live, args=(f"key-{at}",)) for at in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    store.steps = []
    journal.flush()
    journal.drop("kms-key/first")
    assert store.stored().entries == {address: last for address, last in truth.items() if last is not None}
    serials = [tried.serial for tried in store.tried]
    assert serials == sorted(set(serials))
    assert len(store.tried) < 12 * 12, "writes were not shared"


@pytest.mark.parametrize("step", [fail, fail_once_written])
def test_the_manifest_of_another_writer_is_never_overwritten(
    journal: Journal, store: ScriptedStore, step: Step
) -> None:
    journal.put(entry("one"))
    store.steps = [step]
    with pytest.raises(StoreFailed):
        journal.put(entry("two"))
    stored = store.read("dev")
    assert stored is not None
    ScriptedStore.write(store, manifest(entry("theirs"), run="run-9", serial=9), stored.version)
    for _ in range(2):
        with pytest.raises(LockHeld, match="somebody else has written") as refused:
            journal.put(entry("three"))
        assert "run-9" in str(refused.value.evidence)
    assert store.stored().run == "run-9"


def test_a_manifest_removed_meanwhile_is_not_written_again(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one"))
    Path(store.location("dev")).unlink()
    for _ in range(2):
        with pytest.raises(StoreFailed, match="was removed"):
            journal.put(entry("two"))
    assert set(journal.manifest.entries) == {"kms-key/one", "kms-key/two"}


@pytest.mark.parametrize("error", [AwsNoAnswer("s3", "PutObject", "Timeout", "slow"), ZeroDivisionError("a bug")])
def test_any_other_error_is_a_store_failure(journal: Journal, store: ScriptedStore, error: Exception) -> None:
    store.steps = [break_with(error)]
    with pytest.raises(StoreFailed, match="could not be written") as failed:
        journal.put(entry("one", Phase.MAKING))
    assert f"{type(error).__name__}: {error}" == failed.value.evidence
    assert failed.value.__cause__ is error
    assert journal.manifest.entries == {}


def test_an_interrupt_while_writing_leaves_nobody_waiting(journal: Journal, store: ScriptedStore) -> None:
    interrupted = PausedWrite(break_with(KeyboardInterrupt()))
    store.steps = [interrupted]
    caught: list[BaseException] = []

    def writer() -> None:
        try:
            journal.put(entry("one"))
        except KeyboardInterrupt as error:
            caught.append(error)

    thread = threading.Thread(target=writer)
    thread.start()
    assert interrupted.started.wait(10)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(journal.put, entry("two"))
        until(lambda: len(journal.manifest.entries) == 2)
        interrupted.go_on.set()
        thread.join(10)
        assert other.result(10) is None
    assert len(caught) == 1
    assert set(store.stored().entries) == {"kms-key/one", "kms-key/two"}, "the first one was a fact"


# -- rescue copy -----------------------------------------------------------------------------------------------------


@pytest.fixture
def beside(tmp_path: Path) -> Path:
    """Make a folder to stand in, of a name that a shell would take apart."""
    place = tmp_path / "here it is"
    place.mkdir()
    return place


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_a_rescue_copy_holds_every_fact_and_no_forgotten_intent(
    journal: Journal, store: ScriptedStore, beside: Path
) -> None:
    journal.put(entry("one", Phase.MAKING), entry("old"))
    store.steps = [fail, fail, fail]
    with pytest.raises(StoreFailed):
        journal.put(entry("one"))
    with pytest.raises(StoreFailed):
        journal.drop("kms-key/old")
    with pytest.raises(StoreFailed):
        journal.put(entry("two", Phase.MAKING))
    path = journal.rescue(beside)
    assert path == beside / "dev.rescue-5.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rescued = parse(path.read_bytes(), str(path))
    assert rescued.entries == {"kms-key/one": entry("one")}
    assert (rescued.serial, rescued.run) == (5, "run-1")


def test_the_restore_command_puts_a_rescue_copy_back(journal: Journal, store: ScriptedStore, beside: Path) -> None:
    journal.put(entry("one", Phase.MAKING))
    store.steps = [fail]
    with pytest.raises(StoreFailed):
        journal.put(entry("one"))
    path = journal.rescue(beside)
    subprocess.run(store.restore_command(path, "dev"), shell=True, check=True)  # noqa: S602 -- as a user would
    assert store.stored() == parse(path.read_bytes(), "rescue")
    assert store.stored().entries == {"kms-key/one": entry("one")}


def restored(path: Path, store: ScriptedStore) -> int:
    """Run the restore command as a user would; its exit status."""
    return subprocess.run(store.restore_command(path, "dev"), shell=True, check=False).returncode  # noqa: S602 -- above


def test_the_restore_command_writes_over_nobody_s_changes(
    journal: Journal, store: ScriptedStore, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = journal.rescue(beside)
    for tools in (True, False):
        if not tools:
            monkeypatch.setattr(shutil, "which", lambda _: None)
        command = store.restore_command(path, "dev")
        assert command.startswith("flock -n " if tools else "sh -c ")
    monkeypatch.undo()
    command = store.restore_command(path, "dev")
    store.write(manifest(entry("of-somebody-else"), serial=9), None)
    assert subprocess.run(command, shell=True, check=False, stderr=subprocess.DEVNULL).returncode != 0  # noqa: S602
    command = store.restore_command(path, "dev")
    store.write(manifest(entry("of-somebody-else"), serial=10), store.version())
    assert subprocess.run(command, shell=True, check=False, stderr=subprocess.DEVNULL).returncode != 0  # noqa: S602
    assert store.stored().serial == 10
    with store.lock("dev", DANA):
        assert restored(path, store) != 0
    assert store.stored().serial == 10
    assert restored(path, store) == 0
    assert store.stored() == parse(path.read_bytes(), "rescue")


def test_the_restore_command_for_s3_has_the_condition_that_a_write_has(aws: Aws) -> None:
    aws.s3.create_bucket(Bucket="records")
    store = open_store("s3://records/team?sse=aws:kms&key=alias/state", aws)
    put = "aws s3api put-object --bucket records --key team/dev.json --body dev.rescue-5.json"
    rest = "--server-side-encryption aws:kms --ssekms-key-id alias/state --expected-bucket-owner 123456789012"
    rest = aws.target.command(rest)
    assert store.restore_command(Path("dev.rescue-5.json"), "dev") == f"{put} --if-none-match '*' {rest}"
    version = store.write(manifest(), None)
    assert store.restore_command(Path("dev.rescue-5.json"), "dev") == f"{put} --if-match '{version}' {rest}"
    # Somebody has removed it: there is nothing that a condition could match.
    aws.s3.delete_object(Bucket="records", Key="team/dev.json")
    with pytest.raises(StoreFailed, match="was removed while this run was at work"):
        store.write(manifest(), version)
    assert store.restore_command(Path("dev.rescue-5.json"), "dev") == f"{put} --if-none-match '*' {rest}"


def test_an_earlier_rescue_copy_is_never_overwritten(journal: Journal, beside: Path) -> None:
    for name in ("dev.rescue-1.json", "dev.rescue-1-1.json"):
        (beside / name).write_text("earlier")
    assert journal.rescue(beside) == beside / "dev.rescue-1-2.json"
    assert journal.rescue(beside) == beside / "dev.rescue-2.json"
    assert (beside / "dev.rescue-1.json").read_text() == "earlier"


def test_a_rescue_copy_falls_back_to_the_temporary_folder(journal: Journal, temporary: Path) -> None:
    path = journal.rescue(Path("/nonexistent"))
    assert path == temporary / "dev.rescue-1.json"
    assert parse(path.read_bytes(), "rescue") == journal.manifest.model_copy(
        update={"serial": 1, "written_at": "2031-05-06T07:08:09Z"}
    )


def test_a_rescue_copy_that_no_folder_takes_leaves_nothing_half_written(
    journal: Journal, beside: Path, temporary: Path
) -> None:
    with no_room(), pytest.raises(StoreFailed, match="no rescue copy") as failed:
        journal.rescue(beside)
    assert len(str(failed.value.evidence).splitlines()) == 2
    assert [*beside.iterdir(), *temporary.iterdir()] == []
