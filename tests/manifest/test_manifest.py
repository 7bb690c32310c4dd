from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tapctl.engine.record import Entry, Phase, plain
from tapctl.errors import ManifestError, WrongTarget
from tapctl.manifest.manifest import FORMAT, MAX_BYTES, AwsKind, Damaged, Manifest, check, dump, empty, now, parse
from tapctl.safety.redaction import hide_path
from tests.manifest.examples import entry, manifest

_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(min_value=1 - 2**63, max_value=2**63 - 1)
    | st.floats(-(2.0**62), 2.0**62)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
_OBJECT = st.dictionaries(st.text(max_size=5), _JSON, max_size=3)
_NAME = st.from_regex("[a-z][a-z0-9-]{0,7}", fullmatch=True)
_ID = st.from_regex(r"[\w/][\w+=,.@:/#-]{0,7}", fullmatch=True).filter(str.isascii)
_LINE = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=5)
_ENTRY = st.builds(
    Entry,
    type=_NAME,
    id=_ID,
    needs=st.lists(st.builds("{}/{}".format, _NAME, _ID), max_size=3).map(tuple),
    phase=st.sampled_from(Phase),
    spec=_OBJECT,
    outputs=st.none() | st.dictionaries(st.sampled_from(["name", "version"]), _LINE, max_size=2),
    kept_until=_LINE,
    kept_why=_LINE,
)
_MANIFEST = st.builds(
    Manifest,
    environment=_NAME,
    suffix=_NAME,
    account=st.from_regex("[0-9]{12}", fullmatch=True).filter(str.isascii),
    region=st.just("us-gov-east-1"),
    serial=st.integers(min_value=0, max_value=99_999_999),
    config_hash=st.text("0123456789abcdef", max_size=5),
    run=_LINE,
    written_by=_LINE,
    written_at=st.sampled_from(["", "2031-05-06T07:08:09Z"]),
    ci=_LINE,
    commit=st.text("0123456789abcdef", max_size=5),
    actor=_LINE,
    networking=_OBJECT,
    aws=st.sampled_from(AwsKind),
    entries=st.lists(_ENTRY, max_size=3).map(lambda entries: {entry.address: entry for entry in entries}),
)


def changed(**fields: Any) -> str:
    return json.dumps(json.loads(dump(manifest(entry()))) | fields)


def nested(depth: int) -> dict[str, Any]:
    return {"a": nested(depth - 1)} if depth else {}


@given(_MANIFEST)
@settings(max_examples=60)
def test_a_dumped_manifest_is_parsed_to_the_same_manifest_and_text(made: Manifest) -> None:
    text = dump(made)
    again = parse(text.encode(), "there")
    assert again == made
    assert dump(again) == text


def test_a_record_of_an_earlier_tapctl_is_read_without_the_path_of_a_subscriber_on_the_web() -> None:
    web = "https://events.example.com/integration/0a1b2c/enqueue"
    spec = {"endpoint": web, "protocol": "https"}
    kind: dict[str, Any] = {"type": "sns-subscription", "spec": spec}
    made = Entry(id=f"alarms-dev/{web}", phase=Phase.MADE, **kind)
    making = Entry(id=f"alarms-dev/{web}/2", phase=Phase.MAKING, confirmed=spec, **kind)
    odd = Entry(type="sns-subscription", id="alarms-dev/email:a@example.com", phase=Phase.MADE, spec={})
    again = parse(dump(manifest(made, making, odd, entry("one"))), "there")
    assert "0a1b2c" not in dump(again)
    assert again.entries.keys() == {one.address for one in again.entries.values()}
    read = again.entries[f"sns-subscription/{hide_path(made.id)}"]
    assert (read.spec, read.confirmed) == ({"endpoint": hide_path(web), "protocol": "https"}, None)
    assert again.entries[odd.address] == odd


def test_the_order_of_recording_does_not_show() -> None:
    one, two = entry("one", a=1, b=2), entry("two")
    other_way = entry("one", b=2, a=1)
    assert dump(manifest(one, two)) == dump(manifest(two, other_way))


def test_the_stored_words_are_the_format() -> None:
    """Every key and phase of format 1: tapctl of any version reads them, so none is renamed."""
    whole = Entry(type="t", id="i", phase=Phase.KEPT, spec={}, outputs={}, kept_until="2031-06-05", kept_why="data")
    stored = json.loads(dump(manifest(whole).model_copy(update={"aws": AwsKind.SANDBOX})))
    assert stored["format"] == 1
    assert list(stored) == [
        *("account", "aws", "config_hash", "entries", "environment", "format", "networking", "region", "run", "serial"),
        *("suffix", "written_at", "written_by"),
    ]
    (stored_entry,) = stored["entries"].values()
    assert list(stored_entry) == ["id", "kept_until", "kept_why", "needs", "outputs", "phase", "spec", "type"]
    assert [phase.value for phase in Phase] == ["making", "made", "leaving", "kept"]
    assert [kind.value for kind in AwsKind] == ["real", "sandbox", "endpoint"]


def test_the_real_aws_is_not_stored() -> None:
    assert "aws" not in json.loads(dump(manifest()))


def test_the_text_is_readable_and_ends_in_a_newline() -> None:
    text = dump(manifest(entry(description="clé → 鍵")))
    assert text.startswith('{\n  "account": "123456789012"')
    assert "clé → 鍵" in text
    assert text.endswith("}\n")


def test_a_manifest_cut_off_at_any_byte_is_refused_by_name() -> None:
    whole = dump(manifest(entry(description="clé → 鍵"))).encode()
    assert parse(whole, "there") == parse(whole[:-1], "there"), "only the last newline may be missing"
    for length in range(len(whole) - 1):
        with pytest.raises(ManifestError, match=r"manifests/dev\.json"):
            parse(whole[:length], "manifests/dev.json")


@given(st.binary(max_size=40) | _JSON.map(json.dumps))
@settings(max_examples=100)
def test_any_other_content_is_refused(content: bytes | str) -> None:
    with pytest.raises(ManifestError, match="the manifest there "):
        parse(content, "there")


@pytest.mark.parametrize(
    ("content", "cause", "evidence"),
    [
        ("", "is empty", None),
        (b" \n", "is empty", None),
        (b"\xff\xfe", "is not UTF-8 text", "it is UTF-16: save it as UTF-8"),
        (b'{\n"a": "\xff"}', "is not UTF-8 text", "line 2: byte 9 of the file is no UTF-8"),
        (b"\xef\xbb\xbf{}", "is not UTF-8 text", "it begins with a byte order mark"),
        ("{}\0", "is not valid JSON, or was cut off", "line 1, column 3: a NUL byte stands there"),
        ('{"a":\n 1 "b": 2}', "is not valid JSON, or was cut off", "line 2, column 4: a comma is missing"),
        ('{"serial": ' + "9" * 5000 + "}", "is not valid JSON, or was cut off", "a number in it has too many digits"),
        ("{", "is not valid JSON, or was cut off", "line 1, column 2: it ends there"),
        ("[" * 100_000, "is not valid JSON, or was cut off", "it is nested too deep"),
        ('{"format": 1, "format": 1}', "is not valid JSON, or was cut off", "the key 'format' is there twice"),
        ("[]", "is no manifest of tapctl", "it is no JSON object"),
        ("{}", "is no manifest of tapctl", "it has no format number"),
        ('{"format": true}', "is no manifest of tapctl", "format number is true"),
        ('{"format": 0}', "is no manifest of tapctl", "format number is 0"),
        ('{"format": "1"}', "is no manifest of tapctl", 'format number is "1"'),
        ('{"format": 1}', "is no manifest of tapctl", "and 6 more"),
        (changed(serial=-1), "is no manifest of tapctl", "serial: must be at least 0"),
        (changed(serial="3"), "is no manifest of tapctl", "serial: must be a whole number; this is a string"),
        (changed(serial=1.5), "is no manifest of tapctl", "serial: must be a whole number; this is a number"),
        (changed(suffix=["a"]), "is no manifest of tapctl", "suffix: must be a string; this is an array"),
        (changed(aws="other"), "is no manifest of tapctl", "aws: must be 'real', "),
        (changed(extra=1), "is no manifest of tapctl", "extra: is no key that belongs there"),
        (changed(suffix="\ud800"), "is no manifest of tapctl", ": a text holds half of a character"),
        (changed(networking=nested(400)), "is no manifest of tapctl", ": it is nested too deep"),
        (changed(networking={"a": float("inf")}), "is no manifest of tapctl", "networking: holds a number that is not"),
        (changed(entries={"kms-key/x": json.loads(entry("y").model_dump_json())}), "no manifest", "it is kms-key/y"),
        (changed(entries={"a": {"phase": "gone"}}), "is no manifest of tapctl", "entries.a.phase: "),
    ],
)
def test_an_invalid_manifest_is_refused_with_its_problem(
    content: str | bytes, cause: str, evidence: str | None
) -> None:
    with pytest.raises(ManifestError) as refused:
        parse(content, "there")
    assert cause in refused.value.cause
    assert refused.value.hint
    if evidence is None:
        assert refused.value.evidence is None
    else:
        assert evidence in str(refused.value.evidence)


def odd(**fields: Any) -> str:
    """A manifest whose entry has other fields."""
    stored = json.loads(dump(manifest(entry("a"))))
    stored["entries"]["kms-key/a"] |= fields
    key = f"{stored['entries']['kms-key/a']['type']}/{stored['entries']['kms-key/a']['id']}"
    return json.dumps(stored | {"entries": {key: stored["entries"]["kms-key/a"]}})


_NESTED: Any = {"a": 1}
for _ in range(40):
    _NESTED = {"a": _NESTED}
_ARN = "arn:aws:kms:us-east-2:123456789012:key/a"


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (changed(environment="../x"), "environment: ../x"),
        (changed(suffix="dev\n::warning::"), "suffix: dev?::warning::"),
        (changed(account="12345678901"), "account: "),
        (changed(region="moon"), "region: moon"),
        (changed(config_hash="x" * 200), "config_hash: "),
        (changed(run="a\u001b[2J"), "run: a?[2J"),
        (changed(written_at="yesterday"), "written_at: yesterday"),
        (changed(serial=2**70), "serial: "),
        (changed(networking={"n": 10**400}), "networking.n: is a number beyond all bounds"),
        (changed(networking={"n": "x" * 200_000}), "networking.n: is longer than"),
        (changed(networking=_NESTED), "is nested more than 30 deep"),
        (
            odd(spec={"statements": ["⟦iam-role/r#arn⟧"]}),
            "entries.kms-key/a.spec.statements.0: ⟦iam-role/r#arn⟧ promises an output",
        ),
        (odd(confirmed={"n": 10**400}), "entries.kms-key/a.confirmed.n: is a number beyond all bounds"),
        (odd(phase="making", carried={"n": "x" * 200_000}), "entries.kms-key/a.carried.n: is longer than"),
        (odd(carried={"n": "x"}), "entries.kms-key/a.carried: only what is being made takes anything over"),
        (odd(confirmed={}), "entries.kms-key/a.confirmed: what is made has no other spec beside its own"),
        (odd(type="KMS Key"), "entries.KMS Key/a.type: "),
        (odd(id="a b"), "entries.kms-key/a b.id: "),
        (odd(id="a\nname=value"), "entries.kms-key/a?name=value.id: "),
        (odd(needs=["nothing"]), "entries.kms-key/a.needs: nothing"),
        (odd(kept_why="x\ny"), "entries.kms-key/a.kept_why: "),
        (odd(outputs={"arn": "junk", "key_id": "a"}), "entries.kms-key/a.outputs.arn: junk is not an ARN"),
        (odd(outputs={"arn": _ARN, "key_id": "a b"}), "entries.kms-key/a.outputs.key_id: a b is not an id"),
        (odd(outputs={"arn": _ARN, "key_id": "a", "x\ny": "z"}), "entries.kms-key/a.outputs.x?y: z"),
        (odd(outputs={"arn": _ARN, "key_id": "a", "endpoint": "a b"}), "outputs.endpoint: a b is not a host"),
        (odd(needs=["https://e.example/key#"]), "entries.kms-key/a.needs: https://e.example/… is no address"),
        (odd(spec={"a": [1, {"b": 1e200}]}), "entries.kms-key/a.spec.a.1.b: is a number"),
        (
            changed(
                entries={f"t/i{n}": {"type": "t", "id": f"i{n}", "phase": "kept", "spec": {}} for n in range(1001)}
            ),
            "entries: there are 1001",
        ),
        (odd(needs=[f"n{number}" for number in range(9)]), "and more"),
    ],
    ids=lambda value: value[:40],
)
def test_what_tapctl_never_writes_is_refused_with_its_place(content: str, place: str) -> None:
    with pytest.raises(ManifestError, match="holds what tapctl never writes") as refused:
        parse(content, "there")
    assert place in str(refused.value.evidence)
    assert refused.value.exit_code == 3


def test_a_manifest_too_large_is_not_parsed() -> None:
    with pytest.raises(ManifestError, match="is too large"):
        parse(b" " * (MAX_BYTES + 1), "there")


def test_nesting_that_no_parser_takes_is_refused() -> None:
    nested = changed(networking={"a": "@"}).replace('"@"', "[" * 400 + "]" * 400)
    with pytest.raises(ManifestError, match="the manifest there"):
        parse(nested, "there")


def test_the_ci_run_and_its_commit_are_stored_only_where_there_are_some() -> None:
    assert not {"ci", "commit", "actor"} & json.loads(dump(manifest())).keys()
    stored = json.loads(
        dump(manifest().model_copy(update={"ci": "https://ci/1", "commit": "9f3c1a7", "actor": "dana"}))
    )
    assert (stored["ci"], stored["commit"], stored["actor"]) == ("https://ci/1", "9f3c1a7", "dana")


def test_a_newer_format_asks_for_an_upgrade() -> None:
    with pytest.raises(ManifestError, match=r"there was written by a newer tapctl") as refused:
        parse(changed(format=FORMAT + 1, something="new"), "there")
    assert "a newer one" in str(refused.value.hint)
    assert refused.value.exit_code == 3


def test_an_entry_is_named_by_type_and_id() -> None:
    assert entry("alias/db-key-dev").address == "kms-key/alias/db-key-dev"


def test_the_needs_of_an_entry_are_sorted_and_unique() -> None:
    made = Entry(type="t", id="i", needs=("b/1", "a/1", "b/1"), phase=Phase.MADE, spec={})
    assert made.needs == ("a/1", "b/1")


def test_a_spec_is_a_plain_copy() -> None:
    given_ids = ["one"]
    made = Entry(type="t", id="i", phase=Phase.MADE, spec={"ids": given_ids, "pair": ("a", "b")})
    given_ids.append("two")
    assert made.spec == {"ids": ["one"], "pair": ["a", "b"]}


def test_a_spec_must_be_json() -> None:
    with pytest.raises(ValidationError):
        entry(ratio=float("nan"))
    with pytest.raises(TypeError):
        plain({"ids": {"a", "b"}})


def test_an_empty_manifest_was_never_written() -> None:
    made = empty(environment="dev", suffix="pr-42", account="123456789012", region="us-east-2")
    assert (made.serial, made.entries, made.suffix) == (0, {}, "pr-42")
    assert parse(dump(made), "there") == made


def test_now_is_utc_to_the_second() -> None:
    assert now().endswith("Z")
    assert len(now()) == len("2031-05-06T07:08:09Z")


_HERE = {"environment": "dev", "suffix": "dev", "account": "123456789012", "region": "us-east-2"}


def test_the_right_manifest_passes() -> None:
    check(manifest(), "there", **_HERE)


@pytest.mark.parametrize(
    ("what", "error", "exit_code", "hint"),
    [
        ("account", WrongTarget, 9, "where account_id was changed in dev.toml, put the old one back"),
        ("region", WrongTarget, 9, "use --region us-east-2, or put it back into dev.toml"),
        ("environment", ManifestError, 3, "put the right file there, or use another --suffix"),
    ],
)
def test_a_manifest_of_another_target_is_refused_by_name(
    what: str, error: type[Exception], exit_code: int, hint: str
) -> None:
    with pytest.raises(error, match=f"the manifest manifests/dev.json is of {what} ") as refused:
        check(manifest(), "manifests/dev.json", **_HERE | {what: "other"})
    assert getattr(refused.value, "exit_code", None) == exit_code
    told = str(getattr(refused.value, "hint", None))
    assert told.startswith(hint)
    # Nothing is deployed by it: the environment may be meant to move.
    assert ("put that record and its history away (docs/state.md)" in told) is (error is WrongTarget)


def test_a_manifest_of_another_suffix_is_told_before_its_account() -> None:
    with pytest.raises(Damaged, match=r"manifests/other\.json is the record of dev, in the place of that of other"):
        check(manifest(), "manifests/other.json", **_HERE | {"suffix": "other", "account": "other"})


def test_a_file_of_the_name_of_a_copy_is_told_as_what_stands_in_the_way() -> None:
    copy = manifest(suffix="pr-1")
    with pytest.raises(ManifestError) as refused:
        check(copy, "manifests/pr-1.json", **_HERE | {"environment": "pr-1", "suffix": "pr-1"})
    assert str(refused.value.hint).startswith("where pr-1 is a copy of dev, take the file pr-1.toml away; else put")
    with pytest.raises(ManifestError) as refused:
        check(copy, "manifests/pr-1.json", **_HERE | {"environment": "prod", "suffix": "pr-1"})
    assert str(refused.value.hint).startswith("put the right file there")
