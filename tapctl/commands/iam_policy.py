"""``tapctl iam-policy``: the least rights that a command needs. Offline, from the configuration alone."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from tapctl.aws.policy import Statement
from tapctl.aws.rights import COMMANDS, Right
from tapctl.errors import Status, UsageError
from tapctl.manifest import state_rights
from tapctl.names import Names
from tapctl.regions import partition_of
from tapctl.render.screen import Screen
from tapctl.safety.files import open_fresh
from tapctl.session.invocation import Invocation
from tapctl.session.target import resolve_target
from tapctl.stack.rights import (
    CHANGER,
    MAX_CHARACTERS,
    NEVER,
    READER,
    Declared,
    document,
    documents,
    statements_for,
    unscoped,
    values_of,
)

_LISTER: Final = "tapctl-status"
PAGE: Final = "permissions.md"
"""The name of the page on the roles, beside the policies."""

_HEADING: Final = "# Permissions of "


def iam_policy(invocation: Invocation, screen: Screen, command: str, out: Path | None) -> int:
    """Print the policy for ``command``; with ``out``, write it there in files that IAM takes.

    Raises:
        UsageError: the files cannot be written, or one would take the place of somebody's own page.
    """
    config, target = resolve_target(invocation, screen)
    names = Names(target.suffix, target.account, target.region, partition_of(target.region))
    state = [Declared("state", right) for right in state_rights(invocation.state)]
    values = values_of(config, names)
    statements = statements_for(command, values, state)
    if out is None:
        text = document(statements)
        screen.document(text, {"type": "iam_policy", "for": command, "policy": json.loads(text)})
        return invocation.finish(screen, Status.OK)
    files = _files(command, names, statements)
    files[PAGE] = page(names, [each.right.filled(values) for each in state])
    try:
        out.mkdir(parents=True, exist_ok=True)
        _check_page(out / PAGE)
        own = re.compile(rf"tapctl-{command}-{re.escape(names.suffix)}-[0-9]+\.json")
        for stale in [*out.iterdir()]:
            # Of an earlier, longer policy; those of dev-2 are none of dev's.
            if own.fullmatch(stale.name) and stale.name not in files:
                stale.unlink()
        for name, content in files.items():
            with os.fdopen(open_fresh(out / name, 0o666), "w", encoding="utf-8") as file:
                file.write(content)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}", hint="name a folder that can be written") from error
    listing = "\n".join(str(out / name) for name in sorted(files))
    screen.document(listing, {"type": "iam_policy", "for": command, "files": listing.splitlines()})
    return invocation.finish(screen, Status.OK)


def _check_page(path: Path) -> None:
    """Make sure that no page but one of ours is overwritten: many have a page of that name. A link is replaced.

    Raises:
        UsageError: it is somebody's own.
        OSError: it cannot be read.
    """
    if path.is_symlink() or not path.is_file():
        return
    with path.open("rb") as file:
        if file.read(len(_HEADING)) == _HEADING.encode():
            return
    raise UsageError(
        f"{path} is there and is no page of tapctl's: it was left as it is",
        hint="name a folder of its own, such as policies",
    )


def _files(command: str, names: Names, statements: Sequence[Statement]) -> dict[str, str]:
    texts = documents(statements)
    return {f"tapctl-{command}-{names.suffix}-{number}.json": text for number, text in enumerate(texts, 1)}


# -- the page ----------------------------------------------------------------------------------------------------------


def page(names: Names, state: Sequence[Right]) -> str:
    """The page on the roles: their trust, the bucket's policy, what AWS cannot scope; ``state``: the store's rights."""
    read, change = f"{READER}-{names.suffix}", f"{CHANGER}-{names.suffix}"
    account = f"arn:{names.partition}:iam::{names.account}"
    why = {action: reason for command in COMMANDS for action, reason in unscoped(command).items()}
    rows = "\n".join(f"| `{action}` | {reason} |" for action, reason in sorted(why.items()))
    objects = next((right.resources for right in state if "s3:PutObject" in right.actions), ())
    store = ""
    if objects:
        store = f"""
## The bucket of the records

The policies allow this environment's objects alone. The bucket's policy keeps everybody else from them, and from their
earlier versions (a role that replicates the bucket, or backs it up, stands in it as well):

{_code(_bucket_policy(objects, [f"{account}:role/{name}" for name in (read, change, _LISTER)]))}

`{_LISTER}` is one role for all environments of the bucket: workflows list them with it (`TAPCTL_STATUS_ROLE`). It has
the trust of the role that reads, and this policy:

{_code(_lister_policy(objects[0]))}

The pipelines' night looks at copies (`--suffix`) with one role more (`TAPCTL_COPIES_ROLE`): it has the policies of
`drift` of each of them, and stands in the bucket's policy as the others do.
"""
    return f"""{_HEADING}{names.suffix}

Printed by `tapctl iam-policy --for COMMAND --env ENV --out DIR`. Each policy is made of what the code declares beside
the calls that it makes, in files of at most {MAX_CHARACTERS:,} characters, as managed policies are. All files of a
command belong together; a role for two commands has the files of both. `plan --destroy` takes the policy of `destroy`,
`status` that of `drift`.

| role | policies of | who takes it |
|---|---|---|
| `{read}` | `plan`, `drift` | the CI on a change request, and every night; people who look |
| `{change}` | `apply`, `destroy` | the CI after an approval |

No policy allows {" or ".join(f"`{action}`" for action in NEVER)}, and the first file of each denies
them: whoever holds one of these roles reaches the stack and not the data.

## The trust of the roles

By OpenID Connect, without any long-lived key; here of GitHub Actions, whose provider the account needs once. Put your
repository in the place of `OWNER/REPOSITORY`. The role that reads (`{read}`):

{_code(_oidc_trust(names, account, "repo:OWNER/REPOSITORY:pull_request", "repo:OWNER/REPOSITORY:ref:refs/heads/main"))}

The role that changes (`{change}`), for jobs of the protected environment `{names.suffix}` alone:

{_code(_oidc_trust(names, account, f"repo:OWNER/REPOSITORY:environment:{names.suffix}"))}

Where tapctl takes a role itself (`role_arn` in the environment's file), it tells who runs which run as the session's
name (`tapctl-<actor>-<run>`), and the actor as the source identity where the trust allows sts:SetSourceIdentity:

{_code(_role_trust(account))}
{store}
## What AWS cannot scope

These actions have the resource `*`:

| action | why |
|---|---|
{rows}
"""


def _code(policy: dict[str, Any]) -> str:
    return f"```json\n{json.dumps(policy, indent=2)}\n```"


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _oidc_trust(names: Names, account: str, *subjects: str) -> dict[str, Any]:
    provider = "token.actions.githubusercontent.com"
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"Federated": f"{account}:oidc-provider/{provider}"},
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Condition": {
                "StringEquals": {
                    f"{provider}:aud": "sts.amazonaws.com.cn" if names.partition == "aws-cn" else "sts.amazonaws.com",
                    f"{provider}:sub": list(subjects),
                }
            },
        }
    )


def _role_trust(account: str) -> dict[str, Any]:
    return _policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"{account}:root"},
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            "Condition": {"StringLike": {"sts:RoleSessionName": "tapctl-*"}},
        }
    )


def _lister_policy(objects: str) -> dict[str, Any]:
    """The right to read the records beside these objects, and who is changing them."""
    folder = objects.rpartition("/")[0]
    return _policy(
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": folder.partition("/")[0]},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": [f"{folder}/*.json", f"{folder}/*.lock"]},
    )


def _bucket_policy(objects: Sequence[str], roles: list[str]) -> dict[str, Any]:
    return _policy(
        {
            "Sid": "NoPlainHttp",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:*",
            "Resource": list(objects),
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "OnlyTheRolesOfTapctl",
            "Effect": "Deny",
            "Principal": "*",
            # By its version an object is read and deleted with rights of other names (S3 user guide, "Required
            # permissions for Amazon S3 API operations"): who deletes the newest one puts the one before back.
            "Action": "s3:*",
            "Resource": list(objects),
            "Condition": {"ArnNotEquals": {"aws:PrincipalArn": roles}},
        },
    )
