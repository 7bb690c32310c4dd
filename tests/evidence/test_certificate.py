from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tapctl.engine.model import Retained
from tapctl.evidence.certificate import COLUMNS, NAME, Certificate, earlier_certificate, has_left_nothing
from tapctl.manifest.local import LocalStore
from tapctl.render.screen import Target
from tests.manifest.examples import entry, manifest

PROOF = Certificate(
    environment="dev",
    suffix="pr-42",
    account="123456789012",
    region="us-east-2",
    run="r1",
    by="role/deploy",
    at="2026-11-25T20:00:00Z",
    deleted=("sns-topic/alarms", "iam-role/r"),
    retained={"kms-key/alias/k": Retained("2026-12-02", "KMS waits")},
    remaining=("log-group//aws/x",),
)

WITH_THE_TOPIC = "added by others; it ended with the topic"
TARGET = Target("dev", "pr-42", "123456789012", "us-east-2")


def test_a_certificate_lists_each_resource_with_its_fate() -> None:
    assert COLUMNS == ("certificate", "type", "id", "until", "why")
    assert PROOF.rows() == [
        ["gone", "iam-role", "r", "", ""],
        ["gone", "sns-topic", "alarms", "", ""],
        ["kept", "kms-key", "alias/k", "2026-12-02", "KMS waits"],
        ["left", "log-group", "/aws/x", "", ""],
    ]
    assert PROOF.records()[2] == {
        "type": "certificate",
        "state": "kept",
        "address": "kms-key/alias/k",
        "resource_type": "kms-key",
        "id": "alias/k",
        "until": "2026-12-02",
        "why": "KMS waits",
    }


def test_what_no_destroy_had_to_remove_is_told_apart_and_stays_so() -> None:
    proof = replace(PROOF, outside=frozenset({"sns-topic/alarms", "iam-role/not-gone"}))
    assert [row[-1] for row in proof.rows()[:2]] == ["", "removed outside tapctl, not by this destroy"]
    assert json.loads(proof.text())["removed_outside"] == ["sns-topic/alarms"]
    earlier = earlier_certificate(proof.text(), TARGET, every_name)
    assert earlier is not None
    after = replace(PROOF, deleted=("lambda-function/f",)).continuing(earlier)
    assert (after.deleted, after.outside) == (
        ("iam-role/r", "lambda-function/f", "sns-topic/alarms"),
        frozenset({"sns-topic/alarms"}),
    )


def test_a_snapshot_that_nobody_may_look_at_stays_kept_and_is_marked_once() -> None:
    snapshot = {"db-cluster-snapshot/s": Retained("you delete it", "the final snapshot")}
    proof = replace(PROOF, retained={**PROOF.retained, **snapshot})
    for _ in range(2):
        earlier = earlier_certificate(proof.text(), TARGET, every_name)
        assert earlier is not None
        unseen = earlier.unseen_snapshots()
        assert unseen == {"db-cluster-snapshot/s": Retained("you delete it", "the final snapshot; not seen this time")}
        proof = replace(PROOF, retained=unseen)


def test_the_text_of_a_certificate_says_if_it_is_complete() -> None:
    told = json.loads(PROOF.text())
    assert (told["complete"], told["left"], told["format"]) == (False, ["log-group//aws/x"], 1)
    assert (told["environment"], told["suffix"], told["by"], told["at"]) == (
        "dev",
        "pr-42",
        "role/deploy",
        "2026-11-25T20:00:00Z",
    )
    assert told["gone"] == ["iam-role/r", "sns-topic/alarms"]
    assert told["ended"] == []
    assert told["kept"] == {"kms-key/alias/k": {"until": "2026-12-02", "why": "KMS waits"}}


def every_name(_type: str, _id: str) -> bool:
    return True


def test_a_certificate_continues_that_of_an_incomplete_destroy() -> None:
    before = replace(PROOF, deleted=("lambda-function/f", "log-group//aws/x", "kms-key/alias/k"))
    earlier, whole = (
        earlier_certificate(proof.text(), TARGET, every_name) for proof in (before, replace(before, remaining=()))
    )
    assert earlier is not None
    assert PROOF.continuing(earlier).deleted == ("iam-role/r", "lambda-function/f", "sns-topic/alarms")
    assert whole is not None
    assert PROOF.continuing(whole).deleted == ("iam-role/r", "sns-topic/alarms"), "it was complete"


def test_filters_of_others_that_ended_with_their_log_group_are_named_by_the_next_certificate_too() -> None:
    proof = replace(PROOF, deleted=("log-group//aws/x",), remaining=(), swept=False)
    theirs = frozenset({"log-metric-filter//aws/x:m", "log-subscription-filter//aws/x:s"})
    before = replace(proof, ended=theirs | {"log-metric-filter//aws/x2:m", "log-metric-filter//aws:m"})
    assert before.rows()[-1] == [
        "ended",
        "log-subscription-filter",
        "/aws/x:s",
        "",
        "added by others; it ended with the log group",
    ]
    earlier = earlier_certificate(before.text(), TARGET, every_name)
    assert earlier is not None
    assert replace(proof, deleted=("iam-role/r",)).continuing(earlier).ended == theirs


def test_the_subscriptions_of_others_that_ended_with_the_topic_are_named_by_the_next_certificate_too() -> None:
    theirs = frozenset({"sns-subscription/alarms/email:a@example.com"})
    proof = replace(PROOF, ended=theirs)
    assert proof.rows()[-1] == ["ended", "sns-subscription", "alarms/email:a@example.com", "", WITH_THE_TOPIC]
    # Whoever may write the file may name there what he likes: of a topic that is not gone nothing has ended.
    before = replace(proof, ended=theirs | {"sns-subscription/other/email:b@example.com", "db-cluster/billing"})
    earlier = earlier_certificate(before.text(), TARGET, every_name)
    assert earlier is not None
    assert replace(PROOF, deleted=("iam-role/r",)).continuing(earlier).ended == theirs
    kept = replace(before, deleted=("iam-role/r",))
    earlier = earlier_certificate(kept.text(), TARGET, every_name)
    assert earlier is not None
    assert PROOF.continuing(earlier).ended == frozenset()


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"{}", b'{"complete": false}', b'{"complete": false, "gone": 1}'])
def test_a_text_that_is_no_certificate_is_none(text: bytes) -> None:
    assert earlier_certificate(text, TARGET, every_name) is None


@pytest.mark.parametrize(
    ("field", "value"), [("environment", "prod"), ("suffix", "dev"), ("account", "1"), ("region", "us-east-1")]
)
def test_a_certificate_of_another_target_is_none_of_ours(field: str, value: str) -> None:
    changed: dict[str, Any] = {field: value}
    other = replace(PROOF, **changed)
    assert earlier_certificate(other.text(), TARGET, every_name) is None


def test_a_certificate_that_names_what_we_cannot_have_is_none_of_ours() -> None:
    assert earlier_certificate(PROOF.text(), TARGET, lambda type_, id_: (type_, id_) == ("iam-role", "r")) is None


WAITS, KEY_FOR_COPY = Retained("2026-12-02", "KMS waits"), Retained("its snapshots are deleted", "k decrypts final")


@pytest.mark.parametrize(
    ("kept", "why", "nothing"),
    [
        ({"kms-key/alias/k": WAITS}, "KMS waits", True),
        ({"kms-key/alias/k": WAITS, "db-cluster-snapshot/final": Retained("you delete it", "")}, "", False),
        ({"kms-key/alias/k": KEY_FOR_COPY}, "", False),
        ({}, "k decrypts final", False),
    ],
)
def test_a_destroy_that_has_kept_a_snapshot_has_left_something_whatever_its_tags_say_by_now(
    tmp_path: Path, kept: dict[str, Retained], why: str, *, nothing: bool
) -> None:
    """By certificate or record: either may have been written anew."""
    store, record = LocalStore(tmp_path), manifest(entry().model_copy(update={"kept_why": why}))
    assert not has_left_nothing(store, record)
    own = record.model_dump(include={"environment", "suffix", "account", "region"})
    proof = replace(PROOF, **own, deleted=(), remaining=(), retained=kept)
    store.put_sidecar("dev", NAME, proof.text())
    assert has_left_nothing(store, record) is nothing
    store.put_sidecar("dev", NAME, replace(proof, remaining=("iam-role/r",)).text())
    assert not has_left_nothing(store, record)
