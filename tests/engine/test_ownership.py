"""The owner of a resource: a name, owner tags that name nobody else, and a claim."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tapctl.engine.model import Observed, Outputs, Owner
from tapctl.engine.ownership import Claimant, Ownership, Verdict
from tapctl.engine.record import Entry, Phase
from tapctl.errors import ManifestError
from tests.engine.kinds import SMALL, Adopted, Plain, ThingOutputs, ThingSpec
from tests.engine.world import CLAIMANT, OURS, THEIRS

RECORDED = {"arn": "x"}


class Nothing(Outputs):
    """An identity that tells nothing."""


def thing(owner: Owner | None, outputs: Any = None, **tags: str) -> Observed[Any, Any]:
    return Observed(ThingSpec(tags=tags), outputs or ThingOutputs(arn="x"), owner=owner)


def judge(
    seen: Observed[Any, Any], recorded: dict[str, str] | None = None, kind: Plain | None = None, **more: bool
) -> Ownership:
    return CLAIMANT.judge(kind or Plain(), "a", seen, recorded=recorded, **more)


@pytest.mark.parametrize(
    ("owner", "recorded", "made_by_aws", "verdict"),
    [
        (OURS, None, False, Verdict.OURS),
        (OURS, {"arn": "another"}, False, Verdict.OURS),
        (THEIRS, None, False, Verdict.OTHER_OWNER),
        (THEIRS, RECORDED, False, Verdict.OTHER_OWNER),
        (THEIRS, None, True, Verdict.OTHER_OWNER),
        (Owner("tapctl", "staging"), RECORDED, True, Verdict.OTHER_OWNER),
        (Owner("", "staging"), RECORDED, True, Verdict.OTHER_OWNER),
        (Owner("terraform", ""), RECORDED, True, Verdict.OTHER_OWNER),
        (Owner("terraform", "shop", "prod"), RECORDED, True, Verdict.OTHER_OWNER),
        (Owner("terraform", "", "prod"), RECORDED, True, Verdict.OTHER_OWNER),
        (Owner("terraform", "dev", "prod"), RECORDED, True, Verdict.OTHER_ENVIRONMENT),
        (Owner("", "dev", "prod"), RECORDED, True, Verdict.OTHER_ENVIRONMENT),
        (Owner("tapctl", "dev", "prod"), RECORDED, True, Verdict.OTHER_ENVIRONMENT),
        (Owner("", "", "prod"), RECORDED, True, Verdict.OTHER_ENVIRONMENT),
        (Owner("tapctl", ""), None, False, Verdict.NO_CLAIM),
        (Owner("tapctl", "dev"), None, False, Verdict.NO_CLAIM),
        (Owner("", "", "dev"), None, True, Verdict.NO_CLAIM),
        (Owner("tapctl", ""), RECORDED, False, Verdict.OURS),
        (Owner("tapctl", "dev"), RECORDED, False, Verdict.OURS),
        (Owner("", "dev"), None, True, Verdict.OURS),
        (None, None, False, Verdict.NO_CLAIM),
        (None, RECORDED, False, Verdict.OURS),
        (None, {"arn": "another"}, False, Verdict.NO_CLAIM),
        (None, None, True, Verdict.OURS),
    ],
)
def test_ours_are_what_our_tags_name_what_is_on_record_and_what_aws_makes_for_us(
    owner: Owner | None, recorded: dict[str, str] | None, made_by_aws: bool, verdict: Verdict
) -> None:
    assert judge(thing(owner), recorded, Adopted() if made_by_aws else Plain()).verdict is verdict


def test_nothing_outside_the_names_is_ours_whatever_record_and_tags_say() -> None:
    nameless = Claimant(OURS, lambda type_, id_: (type_, id_) == ("plain", "b"))
    seen = thing(OURS, ManagedBy="tapctl")
    assert nameless.judge(Plain(), "a", seen, recorded=RECORDED).verdict is Verdict.NOT_A_NAME
    assert nameless.judge(Plain(), "b", seen, recorded=RECORDED).ours
    error = nameless.judge(Plain(), "a", seen, recorded=RECORDED).error()
    assert error.cause == "plain/a is no name that dev can have; it was left untouched"


def test_under_a_name_that_anybody_may_choose_tags_and_record_have_to_agree() -> None:
    claimant = Claimant(OURS, lambda _, __: True, lambda type_, id_: (type_, id_) == ("plain", "a"))
    for owner, recorded, ours in ((OURS, RECORDED, True), (OURS, None, False), (None, RECORDED, False)):
        assert claimant.judge(Plain(), "a", thing(owner), recorded=recorded).ours is ours
        assert claimant.judge(Plain(), "b", thing(owner), recorded=recorded).ours
    assert claimant.judge(Plain(), "a", thing(None), recorded=None, just_made=True).ours
    # Begun by a run that was cut off before AWS had told its outputs.
    for owner, recorded, ours in ((OURS, {}, True), (None, {}, False), (OURS, {"arn": "another"}, False)):
        assert claimant.judge(Plain(), "a", thing(owner), recorded=recorded).ours is ours


def test_tags_that_could_not_be_read_may_be_anothers() -> None:
    unread = replace(thing(None), unreadable={"tags": "fake:ListTags"})
    assert judge(unread, kind=Adopted()).verdict is Verdict.UNREADABLE
    assert judge(unread, RECORDED, Adopted()).ours, "it is on record"
    assert not judge(unread).adoptable


def test_what_aws_makes_for_us_has_no_tags_at_all_before_we_give_it_some() -> None:
    assert judge(thing(None, Owner="bob"), kind=Adopted()).verdict is Verdict.NO_CLAIM
    assert judge(thing(None, Owner="bob"), RECORDED, Adopted()).ours
    assert judge(thing(None), kind=Adopted()).untagged
    for in_part in (Owner("", "dev"), Owner("tapctl", "", "dev")):
        assert judge(thing(in_part), kind=Adopted()).untagged
        assert judge(thing(in_part, Team="web"), kind=Adopted()).verdict is Verdict.NO_CLAIM
    assert not judge(thing(OURS), kind=Adopted()).untagged


def test_what_aws_does_not_make_like_that_is_somebody_s_unless_more_than_its_name_tells_of_us() -> None:
    set_up = replace(thing(None), is_default=False)
    assert judge(set_up, kind=Adopted()).verdict is Verdict.NO_CLAIM
    assert judge(set_up, {"arn": "another"}, Adopted()).ours, "AWS has made it again, and somebody has set it up since"
    assert Claimant(OURS, lambda _, __: True).judge(Adopted(), "a", set_up, recorded=None, known=True).ours
    assert judge(replace(thing(Owner("", "dev")), is_default=False), kind=Adopted()).ours


class Named(Plain):
    """A type whose outputs are made of the name."""

    type = "named"
    name_is_identity = True


@pytest.mark.parametrize(
    ("owner", "tags", "ours"),
    [
        (None, {}, True),
        (None, {"Name": "a"}, True),
        (None, {"Name": "a", "Owner": "platform"}, False),
        (Owner("", "", "dev"), {"Environment": "dev"}, True),
        (Owner("", "", "dev"), {"Environment": "dev", "Owner": "platform"}, False),
        (Owner("tapctl", ""), {"ManagedBy": "tapctl", "Owner": "platform"}, True),
        (Owner("", "dev"), {"EnvironmentSuffix": "dev", "Owner": "platform"}, True),
        (None, {"CostCenter": "payments", "Service": "cards", "Owner": "platform"}, True),
        (None, {"CostCenter": "payments", "Owner": "platform"}, False),
        (None, {"CostCenter": "platform", "Owner": "platform"}, False),
    ],
)
def test_of_what_only_its_name_identifies_the_record_is_no_claim_against_the_tags_of_others(
    owner: Owner | None, tags: dict[str, str], ours: bool
) -> None:
    claimant = Claimant(OURS, lambda _, __: True, tags={"CostCenter": "payments", "Service": "cards"})
    seen = thing(owner, **tags)
    assert claimant.judge(Named(), "a", seen, recorded=RECORDED).verdict is (Verdict.OURS if ours else Verdict.NO_CLAIM)
    assert claimant.judge(Plain(), "a", seen, recorded=RECORDED).ours
    without_files = Claimant(OURS, lambda _, __: True)
    assert without_files.judge(Named(), "a", seen, recorded=RECORDED).ours is (ours and "Service" not in tags)
    unread = replace(seen, owner=None, unreadable={"tags": "fake:ListTags"})
    assert claimant.judge(Named(), "a", unread, recorded=RECORDED).ours


def test_what_this_run_has_made_is_ours_before_its_tags_show() -> None:
    assert judge(thing(None), just_made=True).ours
    assert judge(thing(THEIRS), just_made=True).verdict is Verdict.OTHER_OWNER


def test_a_thing_whose_identity_is_not_told_is_not_the_recorded_one() -> None:
    assert not judge(Observed(SMALL, None), RECORDED).ours
    assert not judge(thing(None, Nothing()), {}).ours, "no identity is no proof"


def test_tags_that_name_nobody_are_nobodys() -> None:
    assert Owner.of({"Name": "a"}) is None
    assert Owner.of(OURS.tags) == OURS
    assert Owner.of({"ManagedBy": "terraform"}) == Owner("terraform", "")


# -- what is said of it, and what may be taken over ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "evidence"),
    [
        (thing(THEIRS, Team="shop"), "its tags say: ManagedBy=terraform, EnvironmentSuffix=shop"),
        (thing(None), "its tags say: no owner tags"),
        (thing(None, Name="n", Owner="platform"), "its tags say: no owner tags, Owner=platform"),
        (thing(None, **{"a\nhint  run this": "b"}), "its tags say: no owner tags, a hint  run this=b"),
        (thing(Owner("", "", "prod")), "its tags say: ManagedBy=-, EnvironmentSuffix=-, Environment=prod"),
        (
            thing(None, **{f"t{number}": "v" for number in range(7)}),
            "its tags say: no owner tags, t0=v, t1=v, t2=v, t3=v, t4=v, 2 more",
        ),
    ],
)
def test_the_refusal_shows_the_tags_that_the_resource_has(seen: Observed[Any, Any], evidence: str) -> None:
    assert judge(seen).error().evidence == evidence


def test_another_stack_of_tapctl_is_never_taken_over() -> None:
    """Automation may have overwritten, or removed, the one tag that names tapctl: who else tags our suffix?"""
    for tool in ("tapctl", "auto-tagger", ""):
        for owner in (Owner(tool, "dev", "prod"), Owner(tool, "dev", "dev", scope="us-east-1")):
            assert not judge(thing(owner)).adoptable
    for stranger in (THEIRS, Owner("", "", "prod"), Owner("terraform", "", "prod"), None):
        assert judge(thing(stranger)).adoptable
    assert not judge(thing(OURS)).adoptable


def test_the_refusal_of_another_environment_says_how_to_go_on() -> None:
    prod = thing(Owner("tapctl", "dev", "prod"))
    assert judge(prod).error().hint == "name that environment with --env, or use another --suffix"
    assert judge(prod, RECORDED).error().hint == "set its tag Environment=dev, then run the same command again"


@pytest.mark.parametrize(
    ("theirs", "recorded", "hint"),
    [
        (Owner("tapctl", "dev", "prod"), RECORDED, "set its tag Environment=dev, then"),
        (Owner("", "dev", "prod"), RECORDED, "set its tag Environment=dev, then"),
        (Owner("tool", "dev", "prod"), RECORDED, "set its tags ManagedBy=tapctl, Environment=dev, then"),
        (Owner("tapctl", "shop", "prod"), RECORDED, "set its tags EnvironmentSuffix=dev, Environment=dev, then"),
        (Owner("tapctl", "dev", "dev", scope="there", lacks="region=here"), RECORDED, "set its tag region=here, then"),
        (
            Owner("tool", "dev", "dev", scope="there", lacks="region=here"),
            RECORDED,
            "set its tags ManagedBy=tapctl, region=here, then",
        ),
        (Owner("tapctl", "dev", "dev", scope="a member of x"), RECORDED, "use another --suffix here, or end"),
        (Owner("tapctl", "dev", "dev", scope="there", lacks="region=here"), None, "use another --suffix here, or end"),
        # An absent tag stops nothing of what the record holds; without a record every one has to be there.
        (Owner("tool", "dev", "", scope="there", lacks="region=here"), RECORDED, "set its tags ManagedBy=tapctl, regi"),
        (Owner("tapctl", "dev", "dev", lacks="region=here"), None, "if it is: set its tag region=here, then"),
        (
            Owner("tapctl", "dev", lacks="region=here"),
            None,
            "if it is: set its tags Environment=dev, region=here, then",
        ),
    ],
)
def test_the_refusal_names_every_tag_that_stops_us_and_no_other(
    theirs: Owner, recorded: dict[str, str] | None, hint: str
) -> None:
    assert str(judge(thing(theirs), recorded).error().hint).startswith(hint)


@pytest.mark.parametrize(
    ("owner", "recorded", "overwritten"),
    [
        (Owner("platform", "dev", "dev"), RECORDED, True),
        (Owner("platform", "dev", "dev"), None, False),
        (Owner("platform", "shop", "dev"), RECORDED, False),
        (Owner("platform", "", "dev"), RECORDED, False),
        (Owner("platform", "dev", "prod"), RECORDED, False),
        (Owner("platform", "dev", "dev", scope="us-east-1"), RECORDED, False),
        (OURS, RECORDED, False),
    ],
)
def test_tags_are_overwritten_where_the_record_and_the_tag_of_the_suffix_still_say_ours(
    owner: Owner, recorded: dict[str, str] | None, overwritten: bool
) -> None:
    ownership = judge(thing(owner), recorded)
    assert ownership.overwritten is overwritten
    if not ownership.ours:
        assert ("--adopt all" in str(ownership.error().hint)) is overwritten


def test_a_refused_removal_names_no_flag_that_does_nothing_there() -> None:
    for owner, recorded in ((THEIRS, None), (None, None), (Owner("platform", "dev", "dev"), RECORDED)):
        hint = str(judge(thing(owner), recorded).error(wanted=False).hint)
        assert "--adopt" not in hint
        assert "set its tags ManagedBy=tapctl, EnvironmentSuffix=dev, Environment=dev" in hint
        assert "take its entry out of the record" in hint


def test_where_the_tags_say_ours_and_the_record_tells_of_another_nobody_is_sent_to_set_those_tags() -> None:
    claimant = Claimant(OURS, lambda _, __: True, lambda _, __: True)
    ownership = claimant.judge(Plain(), "a", thing(OURS), recorded={"arn": "another"})
    hint = str(ownership.error(wanted=False).hint)
    assert "put plain/a into the configuration, apply, and take it out again" in hint
    assert "set its tags" not in hint


def test_a_record_that_holds_anything_but_our_names_is_refused_and_says_which() -> None:
    claimant = Claimant(OURS, lambda _, id_: id_ == "a")
    entries = [Entry(type="plain", id=id_, phase=Phase.MADE, spec={}) for id_ in ("a", *"bcdefgh")]
    claimant.check_entries(entries[:1], "here")
    with pytest.raises(ManifestError, match="holds plain/b that dev cannot have") as one:
        claimant.check_entries(entries[:2], "here")
    assert one.value.evidence == "here records\nplain/b"
    with pytest.raises(ManifestError, match="holds 7 resources that dev cannot have") as many:
        claimant.check_entries(entries, "here")
    assert str(many.value.evidence).endswith("plain/f\nand 2 more")
