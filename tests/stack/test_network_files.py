"""Ids from a Terraform state, a Pulumi checkpoint or export."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import pytest

from tapctl.aws.client import Aws
from tapctl.config import NetworkingReference
from tapctl.errors import NetworkingError
from tapctl.stack.network import NetworkIds, read_pulumi, read_terraform, resolve
from tests.conftest import Network

SECRET = "hunter2-in-the-state"


def terraform(path: Path, outputs: object, version: object = 4) -> Path:
    path.write_text(json.dumps({"version": version, "outputs": outputs, "resources": [SECRET]}))
    return path


def pulumi(path: Path, *, export: bool = False, **latest: object) -> Path:
    path.write_text(json.dumps({"deployment": latest} if export else {"checkpoint": {"latest": latest}}))
    return path


def stack(outputs: object) -> list[object]:
    return [
        {"type": "aws:ec2/vpc:Vpc", "outputs": {"vpcId": "vpc-0bad"}},
        SECRET,
        {"type": "pulumi:pulumi:Stack", "outputs": outputs},
    ]


def good(network: Network) -> dict[str, object]:
    return {"vpcId": network.vpc_id, "privateSubnetIds": list(network.subnet_ids)}


# -- Terraform --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("joined", [False, True])
@pytest.mark.parametrize("names", [("vpc_id", "private_subnet_ids"), ("VpcId", "PrivateSubnetIds")])
def test_a_terraform_state_is_resolved(
    aws: Aws, network: Network, tmp_path: Path, names: tuple[str, str], joined: bool
) -> None:
    subnets = ",".join(network.subnet_ids) if joined else list(network.subnet_ids)
    file = terraform(
        tmp_path / "terraform.tfstate",
        {names[0]: {"value": network.vpc_id, "type": "string"}, names[1]: {"value": subnets}, "odd": SECRET},
    )

    contract = resolve(aws, NetworkingReference(kind="terraform", target=str(file)))

    assert contract.reference == f"terraform:{file}"
    assert contract.vpc_id == network.vpc_id
    assert contract.subnet_ids == tuple(sorted(network.subnet_ids))


def test_a_terraform_state_that_lacks_its_outputs(tmp_path: Path) -> None:
    found = read_terraform(terraform(tmp_path / "state", {"vpc_id": {"value": "vpc-0a"}}))

    assert found.broken == ("outputs: PrivateSubnetIds is missing",)


@pytest.mark.parametrize(("outputs", "version"), [({}, 3), ({}, None), ([SECRET], 4), (None, 4)])
def test_what_is_no_terraform_state_of_format_4_is_refused(tmp_path: Path, outputs: object, version: object) -> None:
    file = terraform(tmp_path / "state", outputs, version)

    with pytest.raises(NetworkingError) as raised:
        read_terraform(file)

    assert str(raised.value) == f"the networking file {file} cannot be used: it is not a Terraform state of format 4"
    assert f"terraform state pull > {file}" in str(raised.value.hint)


def test_a_command_that_is_told_holds_the_path_as_one_word(tmp_path: Path) -> None:
    file = tmp_path / "x; touch $HOME"
    for read, content in ((read_terraform, '{"encrypted_data": ""}'), (read_pulumi, "{}"), (read_pulumi, "")):
        file.write_text(content)
        with pytest.raises(NetworkingError) as raised:
            read(file)
        assert f" > '{file}'; or" in str(raised.value.hint)


# -- Pulumi -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("export", [False, True])
def test_a_pulumi_checkpoint_or_export_is_resolved(aws: Aws, network: Network, tmp_path: Path, export: bool) -> None:
    file = pulumi(tmp_path / "dev.json", export=export, resources=stack(good(network)))

    contract = resolve(aws, NetworkingReference(kind="pulumi", target=str(file)))

    assert contract.reference == f"pulumi:{file}"
    assert contract.vpc_id == network.vpc_id
    assert contract.subnet_ids == tuple(sorted(network.subnet_ids))


def test_a_pulumi_stack_whose_last_update_was_interrupted(aws: Aws, network: Network, tmp_path: Path) -> None:
    file = pulumi(tmp_path / "dev.json", resources=stack(good(network)), pending_operations=[{"type": "creating"}])

    with pytest.raises(NetworkingError) as raised:
        resolve(aws, NetworkingReference(kind="pulumi", target=str(file)))

    assert raised.value.evidence == "stack: the last pulumi update was interrupted (pending operations)"


@pytest.mark.parametrize("resources", [[], stack(None), stack([SECRET]), stack({"vpc": "x"})])
def test_a_pulumi_stack_that_lacks_its_outputs(tmp_path: Path, resources: list[object]) -> None:
    found = read_pulumi(pulumi(tmp_path / "dev.json", resources=resources))

    assert found.broken == ("outputs: VpcId is missing", "outputs: PrivateSubnetIds is missing")


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"checkpoint": None},
        {"checkpoint": {}},
        {"checkpoint": {"latest": [SECRET]}},
        {"checkpoint": {"latest": {"resources": SECRET}}},
        {"deployment": {"resources": None}},
    ],
)
def test_what_is_neither_checkpoint_nor_export_is_refused(tmp_path: Path, content: object) -> None:
    file = tmp_path / "dev.json"
    file.write_text(json.dumps(content))

    with pytest.raises(NetworkingError) as raised:
        read_pulumi(file)

    assert str(raised.value).endswith("it is neither a Pulumi checkpoint nor an export")
    assert "pulumi stack export > " in str(raised.value.hint)


# -- any file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [read_terraform, read_pulumi])
@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "it is not JSON: line 1, column 1: it ends there, before its end"),
        (
            f'{{"outputs": "{SECRET}"'.encode(),
            f"it is not JSON: line 1, column {len(SECRET) + 15}: it ends there, before its end",
        ),
        (b"\x1f\x8b\x08\x00 zipped", "line 1: byte 2 of the file is no UTF-8"),
        (b"[" * 200_000, "it is not JSON: it is nested too deep"),
        (f'["{SECRET}"]'.encode(), "it is not a JSON object"),
    ],
    ids=["empty", "torn", "binary", "deep", "a list"],
)
def test_a_malformed_file_is_named_and_never_shown(
    tmp_path: Path, read: Callable[[Path], NetworkIds], content: bytes, why: str
) -> None:
    file = tmp_path / "state"
    file.write_bytes(content)

    with pytest.raises(NetworkingError) as raised:
        read(file)

    error = raised.value
    assert error.exit_code == 3
    assert str(error) == f"the networking file {file} cannot be used: {why}"
    assert SECRET not in f"{error.evidence}{error.hint}"
    assert error.__cause__ is None, "the JSON error carries the whole document"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NetworkingError, match=r"missing\.tfstate cannot be used: it cannot be read: No such file"):
        read_terraform(tmp_path / "missing.tfstate")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(NetworkingError, match=r"cannot be read: it is a folder"):
        read_pulumi(tmp_path)


@pytest.mark.parametrize("kind", ["terraform", "pulumi"])
def test_a_relative_path_begins_at_the_folder_of_the_file_that_names_it(
    aws: Aws, network: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: Literal["terraform", "pulumi"]
) -> None:
    folder, elsewhere = tmp_path / "environments", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    outputs = {name: {"value": value} for name, value in good(network).items()}
    terraform(tmp_path / "terraform.state", outputs)
    pulumi(tmp_path / "pulumi.state", resources=stack(good(network)))

    for each in (folder, Path("../environments")):
        contract = resolve(aws, NetworkingReference(kind=kind, target=f"../{kind}.state"), folder=each)
        assert (contract.reference, contract.vpc_id) == (f"{kind}:../{kind}.state", network.vpc_id)

    with pytest.raises(NetworkingError) as raised:
        resolve(aws, NetworkingReference(kind=kind, target="missing.state"), folder=Path("../environments"))
    assert f"the networking file {elsewhere}/../environments/missing.state cannot be used" in str(raised.value)
    assert "a relative path in it begins at the folder of the environment's file" in str(raised.value.hint)


# -- what others have placed ------------------------------------------------------------------------------------------


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(50 * 2**30)


@pytest.mark.parametrize("read", [read_terraform, read_pulumi])
@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.symlink_to("/dev/zero"), "it is a device, no plain file"),
        (os.mkfifo, "it is a pipe, no plain file"),
        (Path.mkdir, "it is a folder, no plain file"),
        (_huge, "it is larger than 67,108,864 bytes"),
        (lambda path: path.write_text("[" * 200_000), "it is not JSON"),
    ],
)
def test_what_is_no_plain_file_of_a_size_is_not_waited_for(
    tmp_path: Path, read: Callable[[Path], NetworkIds], make: Callable[[Path], object], why: str
) -> None:
    make(tmp_path / "state")
    with pytest.raises(NetworkingError) as raised:
        read(tmp_path / "state")

    assert why in str(raised.value)
    assert raised.value.exit_code == 3


def test_an_encrypted_state_of_opentofu_is_told_as_what_it_is(tmp_path: Path) -> None:
    state = {"serial": 1, "lineage": "x", "meta": {"key_provider.pbkdf2.a": "e30="}, "encrypted_data": SECRET}
    (tmp_path / "state").write_text(json.dumps(state | {"encryption_version": "v0"}))

    with pytest.raises(NetworkingError, match="it is an encrypted OpenTofu state") as raised:
        read_terraform(tmp_path / "state")

    assert "tofu state pull > " in str(raised.value.hint)


def secret(**fields: object) -> dict[str, object]:
    """A secret as Pulumi wraps it."""
    return {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", **fields}


@pytest.mark.parametrize(
    ("vpc", "subnets"),
    [
        (secret(plaintext='"vpc-0a"'), secret(plaintext='["subnet-0a", "subnet-0b"]')),
        (secret(value="vpc-0a"), [secret(plaintext='"subnet-0a"'), "subnet-0b"]),
        ("vpc-0a", secret(plaintext=json.dumps([secret(plaintext='"subnet-0a"'), "subnet-0b"]))),
    ],
)
def test_secrets_that_pulumi_has_shown_are_read(tmp_path: Path, vpc: object, subnets: object) -> None:
    outputs = {"vpcId": vpc, "privateSubnetIds": subnets}

    found = read_pulumi(pulumi(tmp_path / "state", export=True, resources=stack(outputs)))

    assert (found.vpc_id, found.subnet_ids, found.broken) == ("vpc-0a", ("subnet-0a", "subnet-0b"), ())


@pytest.mark.parametrize(
    "outputs",
    [
        {"vpcId": secret(ciphertext=SECRET), "privateSubnetIds": ["subnet-0a"]},
        {"vpcId": "vpc-0a", "privateSubnetIds": ["subnet-0a", secret(ciphertext=SECRET)]},
    ],
)
def test_secrets_that_pulumi_has_encrypted_are_told_as_such(tmp_path: Path, outputs: object) -> None:
    with pytest.raises(NetworkingError, match="encrypted secrets of Pulumi") as raised:
        read_pulumi(pulumi(tmp_path / "state", export=True, resources=stack(outputs)))

    assert "pulumi stack export --show-secrets" in str(raised.value.hint)
    assert SECRET not in f"{raised.value} {raised.value.hint}"


def test_a_secret_of_pulumi_that_is_no_json_or_endless_is_no_id(tmp_path: Path) -> None:
    endless: object = "vpc-0a"
    for _ in range(30):
        endless = secret(value=endless)
    outputs = {"vpcId": secret(plaintext="{"), "privateSubnetIds": endless, "other": secret(ciphertext=SECRET)}

    found = read_pulumi(pulumi(tmp_path / "state", resources=stack(outputs)))

    assert found.broken == ("outputs: VpcId is missing", "outputs: PrivateSubnetIds is missing")
