from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tapctl.engine.record import Phase
from tapctl.errors import AwsNoAnswer, LockHeld, StoreFailed
from tapctl.manifest.journal import Journal
from tests.manifest.examples import entry, manifest
from tests.manifest.scripted_store import Held, ScriptedStore, Step, break_with, fail, fail_after
from tests.manifest.test_journal import journal, store, until

__all__ = ["journal", "store"]


@pytest.mark.parametrize("step", [fail, fail_after])
def test_what_somebody_else_wrote_is_never_overwritten(journal: Journal, store: ScriptedStore, step: Step) -> None:
    journal.put(entry("one"))
    store.steps = [step]
    with pytest.raises(StoreFailed):
        journal.put(entry("two"))
    found = store.read("dev")
    assert found is not None
    ScriptedStore.write(store, manifest(entry("theirs"), run="run-9", serial=9), found.version)
    for _ in range(2):
        with pytest.raises(LockHeld, match="somebody else has written") as refused:
            journal.put(entry("three"))
        assert "run-9" in str(refused.value.evidence)
    assert store.stored().run == "run-9"


def test_a_manifest_that_vanished_is_not_made_anew_under_us(journal: Journal, store: ScriptedStore) -> None:
    journal.put(entry("one"))
    Path(store.location("dev")).unlink()
    for _ in range(2):
        with pytest.raises(StoreFailed, match="was removed"):
            journal.put(entry("two"))
    assert set(journal.manifest.entries) == {"kms-key/one", "kms-key/two"}


@pytest.mark.parametrize("error", [AwsNoAnswer("s3", "PutObject", "Timeout", "slow"), ZeroDivisionError("a bug")])
def test_whatever_else_goes_wrong_is_a_store_that_failed(
    journal: Journal, store: ScriptedStore, error: Exception
) -> None:
    store.steps = [break_with(error)]
    with pytest.raises(StoreFailed, match="could not be written") as failed:
        journal.put(entry("one", Phase.MAKING))
    assert f"{type(error).__name__}: {error}" == failed.value.evidence
    assert failed.value.__cause__ is error
    assert journal.manifest.entries == {}


def test_an_interrupt_while_writing_leaves_nobody_waiting(journal: Journal, store: ScriptedStore) -> None:
    interrupted = Held(break_with(KeyboardInterrupt()))
    store.steps = [interrupted]
    caught: list[BaseException] = []

    def writer() -> None:
        try:
            journal.put(entry("one"))
        except KeyboardInterrupt as error:
            caught.append(error)

    thread = threading.Thread(target=writer)
    thread.start()
    assert interrupted.begun.wait(10)
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(journal.put, entry("two"))
        until(lambda: len(journal.manifest.entries) == 2)
        interrupted.go_on.set()
        thread.join(10)
        assert other.result(10) is None
    assert len(caught) == 1
    assert set(store.stored().entries) == {"kms-key/one", "kms-key/two"}, "the first one was a fact"
