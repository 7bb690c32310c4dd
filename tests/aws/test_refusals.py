from __future__ import annotations

import pytest

from tapctl.aws.refusals import Transient, UnreadableFields, classify, is_not_offered, where_known
from tapctl.errors import AwsRefused, NotYet, Patience

DENIED = AwsRefused("sns", "ListTagsForResource", "AccessDenied", "no")
BUSY = AwsRefused("sns", "TagResource", "Busy", "Another change {is} in progress")


def refuse(error: AwsRefused) -> str:
    raise error


def test_a_denied_read_leaves_the_stand_in_and_the_action() -> None:
    fields = UnreadableFields()
    assert fields.read("policy", lambda: "live", "expected") == "live"
    assert fields.read("tags", lambda: refuse(DENIED), "expected") == "expected"
    assert fields.actions == {"tags": "sns:ListTagsForResource"}


NOT_HERE = "The functionality you requested is not available in this region."
NO_PATH = "Unable to determine service/operation name to be authorized"


@pytest.mark.parametrize(
    ("service", "operation", "code", "message"),
    [
        ("ec2", "DescribeSecurityGroupVpcAssociations", "InvalidAction", "no"),
        ("ec2", "DescribeSecurityGroupVpcAssociations", "UnsupportedOperation", NOT_HERE),
        ("lambda", "ListFunctionUrlConfigs", "AccessDeniedException", NO_PATH),
        ("logs", "ListScheduledQueries", "UnknownOperationException", ""),
    ],
)
def test_an_operation_that_a_region_does_not_have_is_answered_otherwise(
    service: str, operation: str, code: str, message: str
) -> None:
    assert where_known(lambda: refuse(AwsRefused(service, operation, code, message)), "nothing") == "nothing"


@pytest.mark.parametrize(
    "error",
    [
        BUSY,
        # Every region has this one.
        AwsRefused("ec2", "DescribeSecurityGroups", "UnsupportedOperation", NOT_HERE),
        AwsRefused("kms", "ListGrants", "UnknownOperationException", ""),
        # A refusal of what was asked, and the word of another service.
        AwsRefused("ec2", "DescribeSecurityGroupVpcAssociations", "UnsupportedOperation", "not of this group"),
        AwsRefused("ec2", "DescribeSecurityGroupVpcAssociations", "InvalidRequest", NOT_HERE),
        AwsRefused("lambda", "ListFunctionUrlConfigs", "AccessDeniedException", "not authorized"),
        AwsRefused("lambda", "ListFunctionUrlConfigs", "InvalidAction", "no"),
    ],
    ids=lambda error: f"{error.iam_action} {error.aws_code}",
)
def test_any_other_refusal_says_nothing_of_what_is_there(error: AwsRefused) -> None:
    assert not is_not_offered(error)
    with pytest.raises(AwsRefused):
        where_known(lambda: refuse(error), "nothing")


def test_any_other_refusal_of_a_read_passes() -> None:
    with pytest.raises(AwsRefused):
        UnreadableFields().read("tags", lambda: refuse(BUSY), "expected")


@pytest.mark.parametrize(
    ("transient", "reason"),
    [
        (Transient(("Other", "Busy"), "it is busy", Patience.BUSY), "it is busy"),
        (Transient(("Busy",), "AWS: {error.message}", Patience.BUSY, text="ANOTHER"), f"AWS: {BUSY.message}"),
    ],
)
def test_a_transient_refusal_is_asked_again(transient: Transient, reason: str) -> None:
    meaning = classify(BUSY, [Transient(("Other",), "no", Patience.LONG), transient])
    assert isinstance(meaning, NotYet)
    assert (meaning.reason, meaning.patience) == (reason, Patience.BUSY)


@pytest.mark.parametrize(
    "transient", [Transient(("Other",), "", Patience.BUSY), Transient(("Busy",), "", Patience.BUSY, "x")]
)
def test_any_other_refusal_stays_a_refusal(transient: Transient) -> None:
    assert classify(BUSY, [transient]) is BUSY
