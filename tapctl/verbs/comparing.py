"""``tapctl parity``: the environments against each other, files and records: do they differ only in what may differ?"""

from __future__ import annotations

from collections.abc import Mapping

from tapctl.command import Invocation
from tapctl.config import Config, load, load_all
from tapctl.manifest.entry import Manifest, Phase, check
from tapctl.parity import Parity, RecordedSpecs, compare, compare_manifests
from tapctl.render.screen import Screen, Target
from tapctl.which import is_deployed, open_store_unidentified

_ALLOWED, _REFUSED = "allowed", "NOT ALLOWED"


def parity(invocation: Invocation, screen: Screen, environments: tuple[str, ...]) -> int:
    """Compare all environments, or those named: their files, and the records there are of them.

    One alone is compared with all the others: what any two others differ in, one of them differs in from this one.
    """
    screen.target(Target(invocation.verb, many=True))
    configs = load_all(invocation.config)
    for env in set(environments) - set(configs):
        load(invocation.config, env)  # which tells what there is
    chosen = {env: configs[env] for env in (environments if len(set(environments)) > 1 else sorted(configs))}
    known = _known(invocation, screen, chosen)
    found = [
        ("files", compare(chosen)),
        ("manifests", compare_manifests({env: _recorded(one) for env, one in known.items()})),
    ]
    records = [row for where, one in found for row in _rows(where, one)]
    columns = ("where", "what", *chosen, "verdict")
    screen.table(columns, [[_cell(record, column) for column in columns] for record in records], records)
    allowed, refused = (sum(record["verdict"] == word for record in records) for word in (_ALLOWED, _REFUSED))
    compared = f"compared {len(chosen)} environments, {len(known)} of them by their manifests too"
    summary = f"{allowed} allowed differences · {refused} not allowed · {compared}"
    counts = {"allowed": allowed, "disallowed": refused}
    code = 2 if refused else 0
    screen.verdict(invocation.verdict("DIFFERENT" if refused else "OK", code, counts, summary))
    return code


def _known(invocation: Invocation, screen: Screen, chosen: Mapping[str, Config]) -> dict[str, Manifest]:
    """The records there are of these environments, and of no other; in whichever region each was deployed.

    Raises:
        ManifestError: one cannot be read, or is of another environment.
        WrongTarget: one is of another account.
    """
    found = {}
    for env, config in chosen.items():
        store = open_store_unidentified(invocation, screen, config)
        stored = store.read(env)
        if stored is None:
            continue
        one, account = stored.manifest, config.account_id
        check(one, store.location(env), environment=env, suffix=env, account=account, region=one.region)
        if is_deployed(one):
            found[env] = one
    return found


def _recorded(manifest: Manifest) -> RecordedSpecs:
    specs = {here: entry.spec for here, entry in manifest.entries.items() if entry.phase is Phase.MADE}
    return RecordedSpecs(manifest.environment, manifest.suffix, manifest.account, manifest.region, specs)


def _rows(where: str, one: Parity) -> list[dict[str, object]]:
    return [
        {"type": "difference", "where": where, "what": what, "values": dict(values), "verdict": word}
        for word, differences in ((_REFUSED, one.disallowed), (_ALLOWED, one.allowed))
        for what, values in differences.items()
    ]


def _cell(record: Mapping[str, object], column: str) -> str:
    values = record["values"]
    if column in record:
        return str(record[column])
    value = values.get(column) if isinstance(values, Mapping) else None
    return "-" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
