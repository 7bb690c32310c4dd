from __future__ import annotations

import json

from tapctl.certificate import COLUMNS, Certificate
from tapctl.engine.model import Kept

PROOF = Certificate(
    environment="dev",
    suffix="pr-42",
    account="123456789012",
    region="us-east-2",
    run="r1",
    by="role/deploy",
    at="2026-11-25T20:00:00Z",
    gone=("sns-topic/alarms", "iam-role/r"),
    kept={"kms-key/alias/k": Kept("2026-12-02", "KMS waits")},
    left=("log-group//aws/x",),
)


def test_it_lists_each_thing_with_what_became_of_it() -> None:
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


def test_what_is_kept_beside_the_manifest_says_whether_it_is_complete() -> None:
    told = json.loads(PROOF.text())
    assert (told["complete"], told["left"], told["format"]) == (False, ["log-group//aws/x"], 1)
    assert (told["environment"], told["suffix"], told["by"], told["at"]) == (
        "dev",
        "pr-42",
        "role/deploy",
        "2026-11-25T20:00:00Z",
    )
    assert told["gone"] == ["iam-role/r", "sns-topic/alarms"]
    assert told["kept"] == {"kms-key/alias/k": {"until": "2026-12-02", "why": "KMS waits"}}
