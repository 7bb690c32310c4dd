"""The contract of a reconciler, proved for every type and each of its examples. A type without examples fails."""

from __future__ import annotations

from contextlib import suppress
from itertools import permutations, product

import pytest

from tapctl.aws.client import Aws
from tapctl.engine.diff import compare, details
from tapctl.engine.drift import detect_drift
from tapctl.engine.events import Result
from tapctl.engine.model import Owner
from tapctl.engine.record import Phase
from tapctl.errors import AwsRefused, NotYet, Refused
from tapctl.evidence.unfinished_removal import is_taken_first
from tapctl.reconcilers import registry
from tapctl.sandbox.emulator.app import Sandbox
from tapctl.stack.waivers import fits
from tests.reconcilers.conformance import CASES, OWNER, Bench, Killed
from tests.reconcilers.scripted import DENIED, refuse

TYPES = sorted(CASES)


@pytest.fixture(params=TYPES)
def bench(request: pytest.FixtureRequest, aws: Aws, sandbox_app: Sandbox) -> Bench:
    return Bench(aws, CASES[request.param], sandbox_app)


def test_every_type_has_examples() -> None:
    assert {case.RECONCILER.type for case in CASES.values()} == set(registry())


def test_every_field_differs_in_some_pair(bench: Bench) -> None:
    specs = bench.fresh()
    differing = {name for one, other in permutations(specs, 2) for name in compare(one, other)}
    # What is never wanted otherwise is shown to be readable and changeable by the type's own tests.
    fixed: frozenset[str] = getattr(bench.case, "FIXED", frozenset())
    # `test_exposures` shows each exposure to be readable; nothing changes one.
    assert differing == set(type(specs[0]).model_fields) - fixed - bench.reconciler.leaves(allowed=True)


def test_a_waiver_of_each_path_of_a_difference_is_one_of_its_field(bench: Bench) -> None:
    for one, other in permutations(bench.fresh(), 2):
        for name, field in type(one).model_fields.items():
            paths = {part.path for part in details(name, getattr(one, name), getattr(other, name))}
            assert {path for path in paths if not fits(path, name, field.annotation)} == set()


def test_an_absent_resource_is_none(bench: Bench) -> None:
    specs = bench.fresh()
    seen = bench.look(specs[0])
    # Some rules of a new group are made by AWS: there is no group without them.
    assert seen is None or (bench.reconciler.subresource and compare(specs[0], seen.spec))


def test_what_was_made_is_what_was_wanted_and_needs_nothing_more(bench: Bench) -> None:
    for number in range(len(bench.fresh())):
        spec = bench.fresh()[number]
        bench.converge(spec)
        seen = bench.look(spec)
        assert seen is not None
        assert seen.spec == spec
        assert seen.outputs is not None
        calls = bench.changing_calls()
        assert bench.converge(spec).result is Result.UNCHANGED
        assert bench.changing_calls() == calls


def _change(bench: Bench, first: int, then: int) -> None:
    specs = bench.fresh()
    have, want = specs[first], specs[then]
    bench.converge(have)
    if bench.replaces(have, want) and not bench.reconciler.replaceable:
        calls = bench.changing_calls()
        with pytest.raises(Refused):
            bench.converge(want)
        assert bench.changing_calls() == calls
    else:
        bench.converge(want)
        seen = bench.look(want)
        assert seen is not None
        # What is left alone goes only where the user names the resource.
        assert set(compare(want, seen.spec)) <= bench.reconciler.left_alone.keys()


def test_each_example_becomes_the_next(bench: Bench) -> None:
    count = len(bench.fresh())
    for number in range(count):
        _change(bench, number, (number + 1) % count)


@pytest.mark.soak
def test_each_example_becomes_each_other(bench: Bench) -> None:
    count = len(bench.fresh())
    for first, then in product(range(count), range(count)):
        _change(bench, first, then)


def test_removed_is_gone_and_removing_it_twice_is_nothing(bench: Bench) -> None:
    if bench.reconciler.deleted_with_parent:
        pytest.skip("it goes when its parent goes, and is never removed by itself")
    spec = bench.fresh()[0]
    bench.converge(spec)
    first = bench.remove(spec)
    assert first.result in (Result.DELETED, Result.KEPT)
    seen = bench.look(spec)
    assert seen is None or seen.retained is not None
    calls = bench.changing_calls()
    assert bench.remove(spec).result is first.result
    assert bench.changing_calls() == calls


def test_a_removal_that_is_cut_off_has_taken_away_only_what_its_type_names(bench: Bench) -> None:
    for index in range(2):
        spec = bench.fresh()[index]
        bench.converge(spec)
        cut_off = True
        while cut_off:
            bench.steps, bench.die_at = 0, 1
            cut_off = False
            with suppress(Refused):  # an example is protected
                try:
                    bench.remove(spec)
                except Killed:
                    cut_off = True
            entry, seen = bench.entry, bench.look(spec)
            if entry is None or entry.phase is not Phase.LEAVING or seen is None:
                continue
            (_, *changed) = detect_drift({bench.address: entry}, {bench.address: seen}).findings
            moved = [one for one in changed if not is_taken_first(one)]
            # A function is moved to another group: which one may be that, a drift asks of AWS.
            assert {(one.type, one.field) for one in moved} <= {("lambda-function", "security_group_ids")}


def test_what_was_removed_can_be_made_again(bench: Bench) -> None:
    if bench.reconciler.deleted_with_parent:
        pytest.skip("it goes when its parent goes, and is never removed by itself")
    spec = bench.fresh()[0]
    bench.converge(spec)
    bench.remove(spec)
    bench.converge(spec)
    seen = bench.look(spec)
    assert seen is not None
    assert seen.spec == spec


def test_what_is_not_ours_is_left_alone(bench: Bench) -> None:
    if not hasattr(bench.case, "foreign"):
        assert bench.reconciler.subresource
        pytest.skip("a facet is its parent's")
    spec = bench.fresh()[0]
    bench.make_foreign()
    before = bench.look(spec)
    calls = bench.changing_calls()
    with pytest.raises(Refused):
        bench.converge(spec)
    with pytest.raises(Refused):
        bench.remove(spec)
    assert bench.changing_calls() == calls
    assert bench.look(spec) == before


@pytest.mark.parametrize("stride", [pytest.param(1, marks=pytest.mark.soak), 9])
def test_killed_before_each_step_and_run_again_it_gets_there(bench: Bench, stride: int) -> None:
    for die_at in range(stride // 2, 100, stride):
        specs = bench.fresh()
        have, want = specs[0], specs[1]
        wanted = have if bench.replaces(have, want) and not bench.reconciler.replaceable else want
        bench.steps, bench.die_at = 0, die_at
        survived = True
        for spec in (have, wanted):
            try:
                bench.converge(spec)
            except Killed:
                survived = False
                bench.die_at = None
                bench.converge(spec)
        seen = bench.look(wanted)
        assert seen is not None
        assert not compare(wanted, seen.spec)
        if survived:
            return
    pytest.fail("more than a hundred steps")


def test_it_is_found_by_its_tags(bench: Bench) -> None:
    spec = bench.fresh()[0]
    bench.converge(spec)
    found = list(bench.reconciler.list_owned(bench.aws, OWNER))
    assert found == ([] if bench.reconciler.subresource else [bench.id])
    for other in (Owner.ours("other", "dev"), Owner("terraform", OWNER.suffix)):
        assert list(bench.reconciler.list_owned(bench.aws, other)) == []


def test_a_create_is_one_call_with_the_owner_s_tags_in_it(bench: Bench) -> None:
    spec = bench.fresh()[0]
    calls = bench.changing_calls()
    bench.reconciler.create(bench.aws, bench.id, spec, OWNER)
    assert bench.changing_calls() == calls + 1
    seen = bench.look(spec)
    assert seen is not None
    assert seen.owner == OWNER


def test_a_create_that_aws_refuses_for_good_is_refused(bench: Bench) -> None:
    spec = bench.fresh()[0]
    service, operation = bench.case.CREATE
    with (
        refuse(getattr(bench.aws, service), operation, "LimitExceeded"),
        pytest.raises(AwsRefused, match="LimitExceed"),
    ):
        bench.reconciler.create(bench.aws, bench.id, spec, OWNER)


def test_tags_are_added_and_overwritten_before_others_are_removed(bench: Bench) -> None:
    spec = bench.fresh()[0]
    if "tags" not in type(spec).model_fields:
        pytest.skip("it has no tags of its own")
    wanted: dict[str, str] = vars(spec)["tags"]
    dropped = min(wanted.keys() - {"Name", *OWNER.tags})
    others = {key: value for key, value in wanted.items() if key != dropped} | {"Extra": "1"}
    bench.converge(spec.model_copy(update={"tags": others}))

    def step() -> tuple[frozenset[str], dict[str, str]]:
        seen = bench.look(spec)
        assert seen is not None
        fields = bench.reconciler.update(bench.aws, bench.id, seen.spec, spec)
        after = bench.look(spec)
        assert after is not None
        return fields, after.spec.tags

    assert step() == (frozenset(), {**wanted, "Extra": "1"})
    assert step() == (frozenset({"tags"}), wanted)


def _tags_read(bench: Bench) -> tuple[str, str, str]:
    if not hasattr(bench.case, "TAGS_READ"):
        pytest.skip("its tags come with the first answer")
    read: tuple[str, str, str] = bench.case.TAGS_READ
    return read


def test_tags_that_may_not_be_read_are_unreadable_and_name_no_owner(bench: Bench) -> None:
    service, operation, _ = _tags_read(bench)
    spec = bench.fresh()[0]
    bench.converge(spec)
    with refuse(getattr(bench.aws, service), operation, *DENIED):
        for expected, tags in ((spec, vars(spec)["tags"]), (None, {})):
            seen = bench.look(expected)
            assert seen is not None
            assert seen.unreadable == {"tags": f"{service}:{operation}"}
            assert (seen.owner, seen.spec.tags) == (None, tags)


def test_a_resource_that_is_deleted_between_two_reads_is_absent(bench: Bench) -> None:
    service, operation, code = _tags_read(bench)
    spec = bench.fresh()[0]
    bench.converge(spec)
    with refuse(getattr(bench.aws, service), operation, code):
        assert bench.look(spec) is None
    with refuse(getattr(bench.aws, service), operation, "ValidationError"), pytest.raises(AwsRefused):
        bench.look(spec)


def test_deleting_what_is_gone_already_is_no_error(bench: Bench) -> None:
    if bench.reconciler.deleted_with_parent:
        pytest.skip("it goes when its parent goes, and is never removed by itself")
    spec = bench.fresh()[0]
    bench.converge(spec)
    seen = last = bench.look(spec)
    while seen is not None and seen.retained is None:
        last = seen
        bench.reconciler.delete(bench.aws, bench.id, seen, spec)
        seen = bench.look(spec)
    assert last is not None
    with suppress(NotYet):
        assert bench.reconciler.delete(bench.aws, bench.id, last, spec) is None
