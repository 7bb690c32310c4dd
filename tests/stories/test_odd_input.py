"""Files of an odd form: each is refused with what is wrong and where, in no words of a library that read it."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from tests.manifest.examples import entry, manifest
from tests.support.world import Answer, World

OF_A_LIBRARY = re.compile(
    r"codec|Value error|recursion|Expecting|Extra data|Input should|Field required|Extra inputs|Invalid JSON|pydantic"
    r"|Exceeds the limit|Traceback|bug of tapctl|NoneType"
)
TEXT = json.dumps(json.loads(manifest(entry()).model_dump_json()), indent=1)
ODD = {
    "utf-16": (TEXT.encode("utf-16"), "it is UTF-16: save it as UTF-8"),
    "mark": (TEXT.encode("utf-8-sig"), "it begins with a byte order mark: save it as UTF-8 without one"),
    "latin-1": (TEXT.replace("dana", "daña").encode("latin-1"), "line 10: byte 183 of the file is no UTF-8"),
    "nul": (TEXT.encode() + b"\0", ": a NUL byte stands there"),
    "cut": (TEXT.encode()[:20], "line 3, column 2: the text that begins there has no end"),
    "comma": (TEXT.replace(",", "", 1).encode(), "line 3, column 2: a comma is missing"),
    "behind": (TEXT.encode() + b"\n{}", "column 1: there is more behind its end"),
    "deep": (b"[" * 100_000, "it is nested too deep"),
    "digits": (TEXT.replace('"serial": 3', f'"serial": {"9" * 5000}').encode(), "a number in it has too many digits"),
    "list": (b"[]", ""),
    "kind": (TEXT.replace('"serial": 3', '"serial": "3"').encode(), ""),
    "surrogate": (TEXT.replace("dana", "\\ud800").encode(), ""),
    "nan": (TEXT.replace('"networking": {', '"networking": {"a": NaN,').encode(), ""),
    "lacking": (b'{"format": 1}', ""),
}
OF_RECORDS = {
    "list": "it is no JSON object",
    "kind": "serial: must be a whole number; this is a string",
    "surrogate": "line 10, column 23: a text holds half of a character",
    "nan": "networking: holds a number that is not finite",
    "lacking": "environment: is missing",
}


def is_told(answer: Answer, says: str) -> None:
    assert (answer.code, answer.changes) == (3, ()), answer.err
    assert says in answer.err
    assert "hint" in answer.err
    assert OF_A_LIBRARY.search(answer.out + answer.err) is None, answer.err


@pytest.mark.parametrize("how", ODD)
def test_a_record_a_plan_and_networking_of_an_odd_form_are_told_with_the_place(
    shared: World, how: str, tmp_path: Path
) -> None:
    content, says = ODD[how]
    state = tmp_path / "manifests"
    state.mkdir(mode=0o700)
    (state / "dev.json").write_bytes(content)
    for verb in ("manifest show", "drift", "status", "plan", "outputs"):
        is_told(shared.tapctl(*verb.split(), "--env", "dev", "--state", str(state)), OF_RECORDS.get(how, says))
    plan = tmp_path / "dev.plan"
    plan.write_bytes(content)
    is_told(shared.tapctl("apply", "--plan", str(plan), "--yes"), says)
    config = tmp_path / "environments"
    config.mkdir()
    for path in (shared.folder / "environments").glob("*.toml"):
        (config / path.name).write_bytes(path.read_bytes())
    text = (config / "dev.toml").read_text()
    (config / "dev.toml").write_text(re.sub("networking = .*", 'networking = "terraform:net.tfstate"', text))
    (config / "net.tfstate").write_bytes(content)
    is_told(shared.tapctl("plan", "--env", "dev", "--config", str(config), "--state", str(tmp_path / "no")), says)


@pytest.mark.parametrize("how", ["utf-16", "mark", "comma", "list", "lacking"])
def test_a_recorded_run_of_an_odd_form_is_told_with_the_line(shared: World, how: str, tmp_path: Path) -> None:
    run = tmp_path / "run.jsonl"
    first = {"type": "version", "ui": "1.0", "tapctl": "0.1.0", "verb": "drift", "env": "dev", "suffix": "dev"}
    head = json.dumps(first | {"account": "", "region": "", "config_hash": ""})
    lines = {"comma": '{"type" "finding"}', "list": "[]", "lacking": '{"type": "finding"}'}
    text = f"{head}\n{lines.get(how, '{}')}\n"
    run.write_bytes(text.encode(how) if how == "utf-16" else text.encode("utf-8-sig" if how == "mark" else "utf-8"))
    says = {
        "comma": "line 2: is no line of a run: column 9: a colon is missing",
        "list": "line 2: is no line of a run: must be an object; this is an array",
        "lacking": "line 2: is no line of a run: address: is missing",
    }
    is_told(shared.tapctl("render", str(run), "--as", "text"), says.get(how, ODD[how][1]))


def test_an_unlocking_of_an_odd_form_is_told_with_the_key(shared: World, tmp_path: Path) -> None:
    state = tmp_path / "manifests"
    (state / "history" / "dev").mkdir(parents=True, mode=0o700)
    (state / "dev.json").write_text(TEXT)
    (state / "history" / "dev" / "unlock-00000003-run.json").write_text('{"at": 3}')
    told = shared.tapctl("manifest", "history", "--env", "dev", "--state", str(state))
    assert "is no record of an unlocking" in told.out + told.err
    assert OF_A_LIBRARY.search(told.out + told.err) is None, told.out + told.err


@pytest.mark.parametrize("variable", ["MY_API_TOKEN", "DB_PASSWORD", "HTTPS_PROXY"])
def test_a_secret_in_the_environment_that_is_no_utf_8_ends_no_command(
    shared: World, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    value = os.fsdecode(b"p\xe4ssword12")
    monkeypatch.setenv(variable, f"http://dana:{value}@proxy" if variable == "HTTPS_PROXY" else value)
    is_told(shared.tapctl("validate", "--env", value), "= ")
    assert shared.tapctl("validate", "--env", value, "--json").records[-1]["exit"] == 3
    told = shared.tapctl("waive", "--env", "dev", "a/b.c", "--reason", value, "--until", "never")
    assert "ssword12" not in told.out + told.err


def test_the_hint_of_wrong_files_validates_the_folder_that_is_named(shared: World, tmp_path: Path) -> None:
    config = tmp_path / "elsewhere"
    shutil.copytree(shared.folder / "environments", config)
    for name, text in (("waivers.toml", "[[waiver]]\n"), ("dev.toml", 'region = "here"\n')):
        (config / name).write_text(text)
        told = shared.tapctl("plan", "--env", "dev", "--config", str(config))
        assert told.code == 3
        hint = f"tapctl validate --config {config}"
        assert f"then run {hint}\n" in told.err
        assert shared.tapctl(*hint.split()[1:]).code == 3
