"""Roles and code for the functions of tests."""

from __future__ import annotations

import io
import json
import zipfile

INTERFACES = ["ec2:CreateNetworkInterface", "ec2:Describe*", "ec2:DeleteNetworkInterface"]


def trust(service: str = "lambda") -> str:
    principal = {"Service": f"{service}.amazonaws.com"}
    return json.dumps({"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]})


def allow(actions: list[str] | str) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr(zipfile.ZipInfo("index.mjs"), "export const handler = async () => 1;")
    return buffer.getvalue()
