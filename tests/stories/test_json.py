"""``--json``: stdout holds JSON Lines and nothing else, field by field as the contract has them."""

from __future__ import annotations

import pytest

from tests.stories.contract import holds
from tests.support.world import World


def test_every_command_keeps_the_json_contract(world: World) -> None:
    planned = world.tapctl("plan", "--env", "dev", "--json")
    records = holds(planned, "plan")
    assert planned.err == "plan dev: asking AWS who we are\n"
    changes = [one for one in records if one["type"] == "planned_change"]
    count = len(world.stack())
    assert [one["action"] for one in changes] == ["create"] * count
    assert records[-1]["counts"] == {"create": count, "change": 0, "remove": 0, "unchanged": 0}
    first = records[0]
    assert (first["env"], first["suffix"], first["account"], first["region"]) == (
        "dev",
        "dev",
        "123456789012",
        "us-east-2",
    )
    assert len(first["config_hash"]) == 64

    made = world.deploy()
    records = holds(made, "apply")
    resources = {one["address"]: one for one in records if one["type"] == "resource"}
    assert set(resources) == {one["address"] for one in changes}
    assert {one["result"] for one in resources.values()} == {"created"}
    assert all(here == f"{here.split('/', 1)[0]}/{one['id']}" for here, one in resources.items())
    assert records[-1]["status"] == "CONVERGED"
    assert records[-1]["counts"] == {"created": count}
    # The image's configuration is downloaded from where ECR says, which is no call of an API.
    assert records[-1]["api_calls"] == len([name for name in made.asked if not name.startswith(":")])
    assert records[-1]["manifest"].endswith("manifests/dev.json")

    function = "lambda-function/payment-processor-dev"
    phases = {one["phase"] for one in records if one["type"] == "span" and one["address"] == function}
    assert {"lambda:CreateFunction", "lambda:GetFunction"} <= phases
    (needs,) = ({each["address"]: each["needs"] for each in one["resources"]} for one in made.of_type("stack"))
    assert "iam-role/lambda-role-dev" in needs[function]

    again = holds(world.tapctl("apply", "--env", "dev", "--json"), "apply")
    results = [one["result"] for one in again if one["type"] == "resource"]
    assert results == ["unchanged"] * count

    world.client("lambda").update_function_configuration(FunctionName="payment-processor-dev", Timeout=15)
    findings = [one for one in holds(world.drift(), "drift") if one["type"] == "finding"]
    (found,) = findings
    assert (found["field"], found["recorded"], found["live"], found["state"]) == ("timeout_s", 30, 15, "DRIFT")
    place = found["config"]
    text = (world.folder / place["file"]).read_text().splitlines()[place["line"] - 1]
    assert (found["severity"], place["key"], text) == ("low", "processor.timeout_s", "timeout_s = 30")
    (change,) = world.tapctl("plan", "--env", "dev", "--json").of_type("planned_change")
    assert (change["action"], change["fields"][0]["have"], change["fields"][0]["want"]) == ("update", 15, 30)
    mended = holds(world.tapctl("apply", "--env", "dev", "--yes", "--json"), "apply")
    assert [one["result"] for one in mended if one["type"] == "resource"].count("updated") == 1
    assert [one["result"] for one in mended if one["type"] == "resource"].count("unchanged") == count - 1

    for verb in ("status", "parity", "outputs", "graph"):
        holds(world.tapctl(verb, "--json"), verb)
    holds(world.tapctl("manifest", "show", "--json"), "manifest show")
    every = world.tapctl("drift", "--json")
    assert [one["env"] for one in every.records if one["type"] == "verdict"] == ["dev", "all"]

    preview = holds(world.tapctl("plan", "--destroy", "--env", "dev", "--json"), "plan")
    assert {one["action"] for one in preview if one["type"] == "planned_change"} == {"delete"}
    gone = holds(world.tapctl("destroy", "--env", "dev", "--yes", "--json"), "destroy")
    results = [one["result"] for one in gone if one["type"] == "resource"]
    assert (results.count("deleted"), results.count("kept"), len(results)) == (count - 1, 1, count)
    assert gone[-1]["counts"] == {"deleted": count - 1, "kept": 1, "left": 0}


@pytest.mark.parametrize("verb", ["validate", "schema"])
def test_offline_commands_keep_the_json_contract(shared: World, verb: str) -> None:
    holds(shared.tapctl(verb, "--json"), verb)


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (["plan", "--env", "prd"], 3, "config-invalid"),
        (["plan"], 64, "usage"),
        (["outputs", "--env", "prod"], 3, "manifest-invalid"),
        (["drift", "--env", "prod"], 3, "manifest-invalid"),
        (["destroy", "--env", "prod"], 6, "refused"),
        (["apply", "--env", "dev"], 64, "usage"),
    ],
)
def test_errors_are_lines_too(shared: World, arguments: list[str], code: int, error: str) -> None:
    answer = shared.tapctl(*arguments, "--json")
    assert answer.code == code
    (told,) = (one for one in holds(answer, arguments[0]) if one["type"] == "error")
    assert told["code"] == error
    assert told["message"]


def test_questions_and_warnings_stay_on_stderr(shared: World) -> None:
    answer = shared.tapctl("apply", "--env", "dev", "--json", typed="no\n")
    holds(answer, "apply")
    assert answer.code == 6
    assert "Apply this to dev? Type yes:" in answer.err
