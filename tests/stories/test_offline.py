"""validate, schema, graph: from the files alone, without a call."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.world import World


@pytest.fixture
def files(shared: World) -> Iterator[World]:
    """The files may be spoilt."""
    folder = shared.folder / "environments"
    shipped = {path: path.read_bytes() for path in folder.iterdir()}
    yield shared
    for path in folder.iterdir():
        if path not in shipped:
            path.unlink()
    for path, content in shipped.items():
        path.write_bytes(content)


def test_validate_sees_waivers_that_no_command_can_read(files: World) -> None:
    (files.folder / "environments" / "waivers.toml").symlink_to("nowhere")
    told = files.tapctl("validate")
    assert (told.code, "waivers.toml: is a link that leads nowhere" in told.err) == (3, True)


def test_validate_takes_all_or_one(shared: World) -> None:
    every = shared.tapctl("validate")
    assert (every.code, every.asked, every.err) == (0, (), "")
    assert every.verdict == "VALIDATE all: OK · valid: dev, prod, staging"
    head, *rows = every.out.splitlines()[:-1]
    assert head.split() == ["environment", "account", "region", "networking", "protected", "config"]
    outputs = shared.tapctl("validate", "--json").of_type("output")
    hashes = {one["name"]: one["value"] for one in outputs}
    assert set(hashes) == {"dev", "prod", "staging"}
    assert all(re.fullmatch("[0-9a-f]{64}", one) for one in hashes.values())
    assert [(row.split()[0], row.split()[-1]) for row in rows] == [(name, hashes[name][:8]) for name in sorted(hashes)]
    assert rows[1].split()[1:5] == ["123456789012", "us-east-1", "cloudformation:networking-prod", "yes"]
    one = shared.tapctl("validate", "--env", "prod")
    assert one.out.splitlines()[1].split() == rows[1].split()
    assert one.verdict == "VALIDATE prod: OK · valid: prod"


@pytest.mark.parametrize("kind", ["terraform", "pulumi"])
def test_validate_tells_a_networking_file_that_is_not_there(files: World, kind: str) -> None:
    files.edit("dev.toml", "cloudformation:networking-dev", f"{kind}:nope.json")
    for arguments in ([], ["--env", "dev"]):
        answer = files.tapctl("validate", *arguments)
        assert (answer.code, answer.asked) == (3, ())
        assert "nope.json" in answer.err
    assert files.tapctl("validate", "--env", "prod").code == 0


def test_more_environments_may_be_added(files: World) -> None:
    folder = files.folder / "environments"
    (folder / "qa.toml").write_text((folder / "dev.toml").read_text().replace("-dev", "-qa"))
    assert files.tapctl("validate").verdict.endswith("dev, prod, qa, staging")


def test_no_folder_is_not_the_one_we_are_in(shared: World) -> None:
    answer = shared.tapctl("validate", "--config", "")
    assert (answer.code, answer.verdict) == (3, "VALIDATE all: FAILED")
    assert '--config = "": names no folder' in answer.err


def test_a_handler_that_cannot_be_packaged_is_told(files: World) -> None:
    files.edit("common.toml", 'package = "image"', 'package = "zip"')
    assert files.tapctl("validate").code == 0
    handler = files.folder / "handlers" / "payment_processor"
    handler.rename(files.folder / "away")
    answer = files.tapctl("validate")
    (files.folder / "away").rename(handler)
    assert (answer.code, answer.verdict) == (3, "VALIDATE all: FAILED")
    assert f"{handler}: is no folder; handlers/ has to stand beside the folder of the environment files" in answer.err


def test_all_errors_of_all_files_at_once(files: World) -> None:
    files.edit("dev.toml", "memory_mb = 1024", 'memory_mb = "lots"')
    files.edit("prod.toml", "instance_count = 2", "instance_count = 1")
    files.edit("staging.toml", "[processor]", "[processor]\nmemry_mb = 1")
    files.edit("common.toml", 'log_statement = "ddl"', 'log_statement = "all"')
    answer = files.tapctl("validate")
    assert answer.code == 3
    for file, key in (
        ("dev.toml", "processor.memory_mb"),
        ("prod.toml", "database.instance_count"),
        ("staging.toml", "processor.memry_mb"),
        ("common.toml", "database.log_statement"),
    ):
        assert re.search(rf"{re.escape(file)}: {re.escape(key)}", answer.err), (file, key)
    assert "memory_mb" in answer.err
    (error,) = files.tapctl("validate", "--json").of_type("error")
    assert error["code"] == "config-invalid"
    assert {Path(one["file"]).name for one in error["problems"]} == {
        "dev.toml",
        "prod.toml",
        "staging.toml",
        "common.toml",
    }
    assert all({"file", "key", "value", "rule", "line"} == set(one) for one in error["problems"])


def test_a_broken_file_breaks_only_what_needs_it(files: World) -> None:
    (files.folder / "environments" / "prod.toml").write_text("this is = = no TOML\n")
    assert files.tapctl("validate").code == 3
    assert files.tapctl("validate", "--env", "dev").code == 0


def test_schema_is_json_schema_of_both_kinds(shared: World) -> None:
    answer = shared.tapctl("schema")
    assert (answer.code, answer.err, answer.asked) == (0, "", ())
    text = json.dumps(json.loads(answer.out))
    for key in ("instance_class", "log_statement", "additionalProperties"):
        assert key in text
    (told,) = shared.tapctl("schema", "--json").of_type("document")
    assert json.loads(answer.out).items() <= told.items()
    assert json.loads(shared.tapctl("schema", "common").out) == told["common"]
    assert json.loads(shared.tapctl("schema", "plan").out)["title"] == "PlanFile"


def mermaid(text: str) -> tuple[dict[str, str], set[tuple[str, str]]]:
    """Nodes and edges; every line has to be one or the other."""
    head, *lines = text.splitlines()
    assert head == "flowchart LR"
    nodes, edges = {}, set()
    for line in lines:
        if found := re.fullmatch(r'  (n\d+)\["([\w-]+)<br/>([^"<>]+)"\]', line):
            nodes[found[1]] = f"{found[2]}/{found[3]}"
        else:
            edge = re.fullmatch(r"  (n\d+) (-->|-\.->) (n\d+)", line)
            assert edge, line
            edges.add((nodes[edge[1]], nodes[edge[3]]))
    return nodes, edges


def dot(text: str) -> tuple[set[str], set[tuple[str, str]]]:
    lines = text.splitlines()
    assert (lines[0], lines[-1]) == ("digraph tapctl {", "}")
    nodes, edges = set(), set()
    for line in lines[3:-1]:
        if found := re.fullmatch(r'  "([^"]+)" \[label="([^"]+)"\];', line):
            nodes.add(found[1])
        else:
            edge = re.fullmatch(r'  "([^"]+)" -> "([^"]+)"( \[style=dotted\])?;', line)
            assert edge, line
            edges.add((edge[1], edge[2]))
    return nodes, edges


@pytest.mark.parametrize("env", ["dev", "prod"])
def test_graph_draws_the_same_stack_in_both_forms(shared: World, env: str) -> None:
    drawn = shared.tapctl("graph", "--env", env)
    nodes, edges = mermaid(drawn.out)
    assert (drawn.code, drawn.err, drawn.asked, len(nodes)) == (0, "", (), len(shared.stack(env)))
    assert dot(shared.tapctl("graph", "--env", env, "--format", "dot").out) == (set(nodes.values()), edges)
    cluster, function = f"db-cluster/db-cluster-{env}", f"lambda-function/payment-processor-{env}"
    logs = f"log-group//aws/lambda/payment-processor-{env}"
    assert {(cluster, function), (logs, function), (cluster, f"db-instance/db-cluster-{env}-0")} <= edges


def test_graph_for_programs_and_of_a_suffix(shared: World) -> None:
    (told,) = shared.tapctl("graph", "--env", "dev", "--suffix", "pr-1", "--json").of_type("graph")
    assert told["format"] == "mermaid"
    assert "db-cluster-pr-1" in told["text"]


@pytest.mark.parametrize("arguments", [["--help"], ["validate"], ["schema"]])
def test_offline_commands_import_no_sdk(shared: World, arguments: list[str]) -> None:
    code = (
        "import sys\nfrom tapctl.cli import run\n"
        f"assert run({arguments!r}) == 0\n"
        "assert not {'boto3', 'botocore', 'moto', 'rich.live'} & set(sys.modules)\n"
    )
    done: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
