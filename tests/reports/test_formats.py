"""Every format of every run: well-formed, harmless, and with what the run tells."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from html import unescape
from html.parser import HTMLParser

import pytest

from tapctl.render.terminal import sanitize_lines
from tapctl.reports import ENDINGS, FORMATS, format_of, md, render
from tapctl.reports.run import run_of
from tests.reports.examples import (
    CLUSTER,
    FUNCTION,
    GROUP,
    HOSTILE,
    KEY,
    RUNS,
    Record,
    finding,
    run,
    span,
    verdict,
    version,
)

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("format_", FORMATS)
@pytest.mark.parametrize("name", RUNS)
def test_a_report_is_harmless_lines_that_stay_the_same_when_they_are_printed(name: str, format_: str) -> None:
    text = render(run(name), format_)
    assert text.isprintable() or all(line.isprintable() for line in text.split("\n"))
    assert sanitize_lines(text) == text.splitlines()
    assert text == render(run(name), format_)
    assert "##vso[" not in text
    assert "<script>alert" not in text or format_ in ("text", "sarif", "trace")
    assert not re.search(r"^\s*::", text, re.MULTILINE)


def test_an_ending_names_a_format() -> None:
    assert {format_of(f"out/run{ending}") for ending in ENDINGS} == {*FORMATS, "jsonl"} - {"text"}
    assert format_of("run.json") is None


def test_text_has_the_target_first_and_the_verdict_last() -> None:
    first, *_, last = render(run("drift"), "text").splitlines()
    assert first == "dev · 123456789012 · us-east-2 · config 9f3c1a7e"
    assert last == "DRIFT dev: DIFFERENT · 1 drifted"
    text = render(run("apply"), "text")
    assert "tags.Owner  dana → (remove)" in text
    assert "x lambda-function" in text
    assert "error aws-refused: creating it" in text
    assert "digraph {" in render(run("status"), "text")
    assert "kms:GetKeyPolicy denied" in render(run("drift"), "text")
    assert "who        automation · dana · 2026-11-28" in render(run("drift"), "text")
    assert "warning: nobody is told\n" in render(run("drift"), "text")
    assert "until reboot" in render(run("drift"), "text")


@pytest.mark.parametrize("format_", ["text", "md", "html", "junit", "sarif"])
def test_what_was_not_compared_stands_in_every_report(format_: str) -> None:
    drift, status = (unescape(render(run(name), format_)) for name in ("drift", "status"))
    assert drift.lower().count("not compared") >= 1
    assert "kms-key/alias/db-key-dev.policy" in drift
    assert "iam-role: x" in drift
    assert "dev: iam-role: last use" in status
    assert "not compared" not in render(run("apply"), format_).lower()


def test_what_was_not_compared_of_several_environments_has_their_names() -> None:
    unseen = [verdict(suffix=name, not_compared=["networking"]) for name in ("dev", "prod")]
    both = run_of([version(env=""), *unseen, verdict(env="all", suffix="")])
    assert both.not_compared == ["dev: networking", "prod: networking"]


# -- Markdown ----------------------------------------------------------------------------------------------------------


def test_markdown_has_the_verdict_first_and_folds_details() -> None:
    text = render(run("drift"), "md")
    assert text.startswith("### ⚠️ DRIFT dev&#58; DIFFERENT")
    assert "<details open><summary>5 findings</summary>" in text
    assert "environments/common.toml&#58;21 processor.timeout&#95;s" in text
    assert render(run("cut"), "md").startswith("### ✂ APPLY dev&#58; CUT OFF")
    assert render(run("apply"), "md").startswith("### ❌")
    assert render(run("status"), "md").startswith("### ✅")


def test_markdown_tells_who_and_what_to_do_the_plan_to_approve_and_what_was_warned_of() -> None:
    text = render(run("drift"), "md")
    assert "<td>automation · dana · 2026&#45;11&#45;28 · console" in text.replace("-", "&#45;")
    assert "keep it: <code>tapctl accept --env dev x</code><br>undo it: <code>tapctl apply --env dev</code>" in text
    assert "until 2027-01-01&#58; load test (dana)" in text
    assert "> ⚠️ nobody is told" in text
    planned = [
        version("plan"),
        RUNS["apply"][2],
        RUNS["apply"][5],
        {"type": "plan", "hash": "4f1c", "path": "dev.plan", "expires": "2026-11-30"},
        {"type": "document", "diff": " [x]\n-a = 1\n+a = 2"},
        verdict("plan", 0, "OK", plan_hash="4f1c"),
    ]
    plan = render(run_of(planned), "md")
    assert "<summary>1 planned change</summary>" in plan
    assert "plan <code>4f1c</code> · usually 3 m 05 s · to be applied until 2026-11-30" in plan
    assert "<pre> &#91;x&#93;\n-a = 1\n+a = 2</pre>" in plan
    hashed = render(run_of([version("apply"), verdict("apply", 0, "CONVERGED", plan_hash="4f1c")]), "md")
    assert "plan <code>4f1c</code>\n" in hashed
    long = render(run_of([version("graph"), {"type": "document", "text": "a" * 70_000}, verdict("graph", 0)]), "md")
    assert 65_000 < len(long) < 66_000
    assert "a\n…</pre>" in long


def test_markdown_of_others_is_text_without_mentions() -> None:
    assert md.escape("@team #1 [a](b) *x* <i> `c` | é") == (
        "&#64;team &#35;1 &#91;a&#93;(b) &#42;x&#42; &#60;i&#62; &#96;c&#96; &#124; é"
    )
    assert "<script>" not in render(run("parity"), "md")


def test_markdown_is_cut_with_a_word() -> None:
    assert md.LIMIT == 1_048_576
    many = run_of([version(), *(finding(f"tags.t{at}", "a" * 200, "b") for at in range(90)), verdict()])
    text = md.render(many, 20_000)
    assert 18_000 < len(text.encode()) <= 20_000
    left = re.search(r"\*\*Cut here: (\d+) more rows do not fit into 20,000 bytes", text)
    assert left is not None
    assert int(left[1]) == 90 - text.count("<tr><td>")
    more = run_of([version(), *(finding(f"tags.ö{at}", "ä" * 200, "b") for at in range(900)), verdict()])
    comment = render(more, "comment")
    assert 58_000 < len(comment.encode()) <= 60_000
    assert "more rows do not fit into 60,000 bytes" in comment
    assert set(re.findall(r"^<tr>.*", comment, re.MULTILINE)) <= set(render(more, "md").splitlines())


# -- SARIF -------------------------------------------------------------------------------------------------------------


def test_sarif_points_at_the_line_that_decides() -> None:
    log = json.loads(render(run("drift"), "sarif"))
    assert log["version"] == "2.1.0"
    (one,) = log["runs"]
    rules = one["tool"]["driver"]["rules"]
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert all(rules[result["ruleIndex"]]["id"] == result["ruleId"] for result in one["results"])
    results = {result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"]: result for result in one["results"]}
    assert results[f"{GROUP}.rules"]["ruleId"] == "open-to-the-world"
    assert results[f"{GROUP}.rules"]["level"] == "error"
    assert results[f"{KEY}.policy"]["ruleId"] == "unknown/somebody-elses-access"
    assert results[f"{CLUSTER}.port"]["level"] == "note"
    assert results[f"{FUNCTION}.memory_mb"]["suppressions"][0]["justification"] == "load test (dana, until 2027-01-01)"
    place = results[f"{FUNCTION}.timeout_s"]["locations"][0]["physicalLocation"]
    assert place == {
        "artifactLocation": {"uri": "environments/common.toml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 21},
    }
    assert results[f"{FUNCTION}.timeout_s"]["partialFingerprints"]["primaryLocationLineHash"] == "91423d5e40"
    assert one["automationDetails"]["id"] == "tapctl/drift/dev/"
    assert one["invocations"][0]["exitCode"] == 2


def test_sarif_has_errors_and_forbidden_differences_with_fingerprints_that_stay() -> None:
    (failed,) = json.loads(render(run("apply"), "sarif"))["runs"]
    assert [result["ruleId"] for result in failed["results"]] == ["error/aws-refused", "error/no-place"]
    assert failed["results"][0]["locations"][0]["physicalLocation"]["region"] == {"startLine": 3}
    assert not failed["invocations"][0]["executionSuccessful"]
    (differing,) = json.loads(render(run("parity"), "sarif"))["runs"]
    (only,) = differing["results"]
    assert only["ruleId"] == "parity"
    assert (
        only["partialFingerprints"]
        == json.loads(render(run("parity"), "sarif"))["runs"][0]["results"][0]["partialFingerprints"]
    )
    (cut,) = json.loads(render(run("cut"), "sarif"))["runs"]
    assert cut["invocations"][0]["exitSignalName"] == "cut off"


def test_sarif_and_junit_tell_what_was_warned_of() -> None:
    (one,) = json.loads(render(run("drift"), "sarif"))["runs"]
    told = one["invocations"][0]["toolExecutionNotifications"]
    assert [(each["level"], each["message"]["text"]) for each in told][1] == ("warning", "nobody is told")
    assert suite("drift").findtext("system-err") == "nobody is told"
    assert suite("apply").find("system-err") is None


def test_sarif_names_a_file_outside_of_the_folder_by_its_whole_path() -> None:
    outside = run_of([version(), finding(config={"file": "/etc/a b.toml", "line": 2}), verdict()])
    (one,) = json.loads(render(outside, "sarif"))["runs"]
    place = one["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]
    assert place == {"uri": "file:///etc/a%20b.toml"}


# -- JUnit -------------------------------------------------------------------------------------------------------------


def suite(name: str) -> ET.Element:
    found = ET.fromstring(render(run(name), "junit")).find("testsuite")  # noqa: S314 -- our own
    assert found is not None
    return found


def case(name: str, address: str) -> ET.Element:
    type_, _, id_ = address.partition("/")
    (found,) = (each for each in suite(name) if (each.get("classname"), each.get("name")) == (type_, id_))
    return found


def failure(name: str, address: str) -> ET.Element:
    found = case(name, address).find("failure")
    assert found is not None
    return found


def test_junit_has_a_case_each_resource() -> None:
    drift = suite("drift")
    assert {key: drift.get(key) for key in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "5",
        "failures": "2",
        "errors": "0",
        "skipped": "1",
        "time": "9.500",
    }
    assert [each.tag for each in case("drift", GROUP)] == ["failure"]
    assert [each.tag for each in case("drift", KEY)] == ["skipped"]
    assert [each.tag for each in case("drift", CLUSTER)] == ["properties"]
    assert "[environments/common.toml:21 processor.timeout_s]" in str(failure("drift", FUNCTION).attrib)


def test_junit_tells_of_an_apply_what_was_made_failed_and_was_not_tried() -> None:
    assert case("apply", KEY).get("time") == "1.000"
    assert failure("apply", CLUSTER).get("message") == "failed: no room"
    assert [each.tag for each in case("apply", FUNCTION)] == ["failure"]
    assert suite("apply").get("errors") == "1"
    assert [each.get("message") for each in suite("cut")[0].findall("error")] == ["the run was cut off"]
    assert case("cut", CLUSTER).find("failure") is not None
    planned = run_of([version("plan"), RUNS["apply"][2], verdict("plan")])
    assert 'value="planned: create"' in render(planned, "junit")
    skipped = run_of([version("apply"), RUNS["apply"][12], verdict("apply")])
    assert "not tried: waiting for what failed" in render(skipped, "junit")


def test_junit_has_a_case_each_difference() -> None:
    assert (suite("parity").get("tests"), suite("parity").get("failures")) == ("4", "1")


def test_a_waived_difference_is_no_failure_and_says_who_answers_for_it() -> None:
    waived = "waived (dana, until 2026-12-31)"
    assert f'value="{waived}: dev = x"' in render(run("parity"), "junit")
    assert waived in render(run("parity"), "md")
    assert waived in render(run("parity"), "text")
    assert f'<span class="open">{waived}</span>' in render(run("parity"), "html")


def junit(*records: Record) -> ET.Element:
    found = ET.fromstring(render(run_of(list(records)), "junit")).find("testsuite")  # noqa: S314 -- our own
    assert found is not None
    return found


def state(*problems: str) -> Record:
    own = {"environment": "dev", "suffix": "pr-1", "resources": 24, "since": "", "by": "", "health": "x"}
    return {"type": "status", **own, "problems": [*problems]}


def test_a_red_status_is_red_in_every_report() -> None:
    records = (version("status"), state("an alarm rings", "DRIFT: 1 drifted"), verdict("status"))
    told = junit(*records)
    assert (told.get("tests"), told.get("failures")) == ("2", "1")
    assert [each.get("message") for each in told[1]] == ["an alarm rings", "DRIFT: 1 drifted"]
    (one,) = json.loads(render(run_of(list(records)), "sarif"))["runs"]
    assert [each["message"]["text"] for each in one["results"]] == ["pr-1: an alarm rings", "pr-1: DRIFT: 1 drifted"]
    well = junit(version("status"), state(), verdict("status", 0, "OK"))
    assert (well.get("tests"), well.get("failures"), well.get("skipped")) == ("2", "0", "0")


def test_what_could_not_be_seen_is_skipped_by_whichever_command_it_is_told() -> None:
    half = "db-instance/x was left half made: tapctl apply goes on"
    unseen = state(half) | {"unseen": [half]}
    told = junit(version("status"), unseen, verdict("status", 7))
    assert (told.get("failures"), told.get("skipped")) == ("0", "1")
    rings = state("an alarm rings", half) | {"unseen": [half]}
    told = junit(version("status"), rings, verdict("status", 2))
    assert [(each.tag, each.get("message")) for each in told[1]] == [("failure", "an alarm rings")]
    place = {"type": "difference", "where": "aws", "what": "dev could not be read", "values": {}}
    told = junit(version("parity"), place | {"verdict": "UNKNOWN"}, verdict("parity", 7))
    assert (told.get("failures"), told.get("skipped")) == ("0", "1")


def test_no_junit_of_a_run_that_ended_with_another_status_than_0_is_all_green() -> None:
    pending = finding(state="PENDING", cause="unfinished")
    assert junit(version(), pending, verdict(exit_=7)).get("skipped") == "1"
    window = finding(state="PENDING", cause=None)
    assert junit(version(), window, verdict(exit_=0)).get("skipped") == "0"
    assert junit(version(), window, verdict(exit_=7))[0].find("failure") is not None
    assert junit(version("plan"), verdict("plan", 2)).get("failures") == "0", "the changes that it was asked to tell"
    assert junit(version("plan"), verdict("plan", 6)).get("failures") == "1"


# -- the trace ---------------------------------------------------------------------------------------------------------


def test_a_trace_has_a_lane_a_resource_and_a_span_a_call_and_a_wait() -> None:
    trace = json.loads(render(run("apply"), "trace"))
    lanes = {each["tid"]: each["args"]["name"] for each in trace["traceEvents"] if each["name"] == "thread_name"}
    spans = [each for each in trace["traceEvents"] if each["ph"] == "X"]
    assert sorted(lanes.values()) == [CLUSTER, KEY]
    told = [(lanes[each["tid"]], each["name"], each["cat"], each["ts"], each["dur"]) for each in spans]
    assert told == [
        (CLUSTER, "rds:DescribeDBClusters", "call", 200_000, 100_000),
        (CLUSTER, "creating", "wait", 2_100_000, 2_900_000),
        (KEY, "kms:CreateKey", "call", 1_000_000, 500_000),
    ]
    assert trace["otherData"]["complete"]
    assert not json.loads(render(run("cut"), "trace"))["otherData"]["complete"]
    first = json.loads(render(run("drift"), "trace"))["traceEvents"][1]
    assert first["args"]["name"] == "tapctl"


def test_calls_at_the_same_time_have_a_row_each_and_what_lies_within_a_wait_stays_there() -> None:
    spans = [("wait", 0, 10, 0), ("a:A", 1, 2, 1), ("b:B", 1.5, 3, 1), ("c:C", 3, 4, 1), ("d:D", 9, 11, 1)]
    told = run_of([version("apply"), *(span(KEY, *each) for each in spans), verdict("apply")])
    trace = json.loads(render(told, "trace"))["traceEvents"]
    assert [each["args"]["name"] for each in trace if each["name"] == "thread_name"] == [KEY, f"{KEY} (2)"]
    lanes = {each["name"]: each["tid"] for each in trace if each["ph"] == "X"}
    assert lanes == {"wait": 1, "a:A": 1, "c:C": 1, "b:B": 2, "d:D": 2}


# -- the page ----------------------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements of a page; every one that is opened has to be closed."""

    VOID = frozenset({"meta", "rect", "path"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("name", RUNS)
def test_a_page_is_one_file_without_network_or_script(name: str) -> None:
    page = Page(render(run(name), "html"))
    assert {tag for tag, _ in page.found} & {"script", "link", "img", "iframe", "object", "form", "base"} == set()
    assert all(not key.startswith("on") for _, attributes in page.found for key in attributes)
    assert all(str(anchor["href"]).startswith("#") for anchor in page.of("a"))
    assert "default-src 'none'" in str(page.of("meta"))
    assert "prefers-color-scheme: dark" in render(run(name), "html")


@pytest.mark.parametrize("name", RUNS)
def test_a_page_can_be_used_with_a_keyboard_and_heard(name: str) -> None:
    page = Page(render(run(name), "html"))
    ids = [attributes["id"] for _, attributes in page.found if "id" in attributes]
    assert len(page.of("h1")) == len(page.of("main")) == 1
    assert page.of("html") == [{"lang": "en"}]
    assert {str(anchor["href"])[1:] for anchor in page.of("a")} <= set(ids)
    assert {section["aria-labelledby"] for section in page.of("section")} <= set(ids)
    assert all(
        each["tabindex"] == "0" and each["aria-label"] for each in page.of("div") if each.get("class") == "scroll"
    )
    assert all(each.get("scope") in ("col", "row") for each in page.of("th"))


def test_a_page_has_the_verdict_the_findings_the_stack_the_timeline_and_the_matrix() -> None:
    drift = Page(render(run("drift"), "html"))
    assert [each["aria-labelledby"] for each in drift.of("section")] == [
        *("warnings-h", "findings-h", "stack-h", "timeline-h", "not-compared-h")
    ]
    assert len(drift.of("article")) == 5
    boxes = [str(each["class"]) for each in drift.of("g")]
    assert boxes == ["box open", "box drift", "box open", "box drift"]
    apply_ = Page(render(run("apply"), "html"))
    assert [str(each["class"]) for each in apply_.of("g")] == ["box create", "box bad", "box bad"]
    bars = [str(each["class"]) for each in apply_.of("i")]
    assert [bar for bar in bars if bar.startswith("usual")] == ["usual", "usual beyond"]
    assert {"whole", "call", "wait"} <= set(bars)
    assert [each.get("class") for each in apply_.of("li")].count("critical") == 3
    assert "the run was cut off" in " ".join(Page(render(run("cut"), "html")).text)
    parity = Page(render(run("parity"), "html"))
    assert [each["aria-labelledby"] for each in parity.of("section")] == ["parity-h"]
    status = "".join(Page(render(run("status"), "html")).text)
    assert "24 of 100" in status
    assert "  a\n" in status


def test_a_page_tells_of_a_finding_who_why_and_what_to_do_and_of_the_run_what_was_warned_of() -> None:
    text = " ".join(Page(render(run("drift"), "html")).text)
    assert "automation · dana · 2026-11-28 · console · Update (e-1) · run r-1" in text
    for command in ("tapctl accept --env dev x", "tapctl apply --env dev", "tapctl waive --env dev x", "tapctl drift"):
        assert command in text
    assert "nobody is told" in text


def test_a_table_has_no_empty_column_and_a_row_a_head() -> None:
    told = run_of([version("plan"), {"type": "preflight", "check": "quotas", "ok": True, "detail": ""}, verdict()])
    page = Page(render(told, "html"))
    assert [each["scope"] for each in page.of("th")] == ["col", "col", "row"]


def test_a_plan_s_page_shows_what_it_is_about_to_do() -> None:
    planned = [record for record in RUNS["apply"] if record["type"] not in ("resource", "error", "span", "verdict")]
    page = Page(render(run_of([*planned, verdict("plan", 0, "OK")]), "html"))
    assert [str(each["class"]) for each in page.of("g")] == ["box create", "box update", "box bad"]
    assert "3 m 05 s" in page.text
    text = render(run_of([*planned, RUNS["apply"][7], verdict("plan", 0, "OK")]), "html")
    assert f"<p>Critical path: <code>{KEY}</code> → <code>{CLUSTER}</code></p>" in text


def test_a_resource_that_nothing_is_to_be_done_about_is_as_it_was() -> None:
    quiet = run_of(
        [
            version("apply"),
            {"type": "resource", "address": KEY, "id": "k", "result": "unchanged", "elapsed_s": 0},
            verdict(),
        ]
    )
    assert [str(each["class"]) for each in Page(render(quiet, "html")).of("g")] == ["box same"]


def test_hostile_texts_are_shown_as_text() -> None:
    assert HOSTILE.startswith("x`|<script>")
    page = Page(render(run("parity"), "html"))
    assert any("<script>alert(1)</script>" in text for text in page.text)
