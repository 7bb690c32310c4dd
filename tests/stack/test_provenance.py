from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from tapctl.commands.advice import _key
from tapctl.commands.parity import ALLOWED_FIELDS, ALLOWED_KEYS
from tapctl.config import Config
from tapctl.engine.drift import Finding, FindingState
from tapctl.engine.refs import to_json
from tapctl.stack.provenance import ENVIRONMENT_KEYS, Key, Provenance
from tests.support.config_folder import Folder


def configurations(folder: Path) -> dict[str, Config]:
    files = Folder(folder / "environments")
    configs = files.load()
    files.put("common", "processor.package", "zip").put("prod", "final_snapshot", False)
    files.put("staging", "final_snapshot", True).put("staging", "database.instance_class", "db.x2g.16xlarge")
    files.put("common", "database.engine_version", "17.11").put("common", "tags", {"a.b": "c", "Owner": "d"})
    files.drop("dev", "processor.reserved_concurrency").put("dev", "database.instance_count", 5)
    configs |= {f"other-{name}": config for name, config in files.load().items()}
    files.drop("common", "processor.image").drop("common", "tags")
    return configs | {f"bare-{name}": config for name, config in files.load().items()}


def fields(provenance: Provenance) -> Iterator[tuple[str, str]]:
    for resource in provenance.stack:
        for name, value in to_json(resource.spec).items():
            yield from ((resource.address, f"{name}.{key}") for key in value) if isinstance(value, dict) else ()
            yield resource.address, name


def test_the_tables_of_advice_say_the_same(tmp_path: Path) -> None:
    known: set[tuple[str, str]] = set()
    for config in configurations(tmp_path).values():
        provenance = Provenance(config, config.environment)
        for address, field in (*fields(provenance), ("sns-topic/alarms-" + config.environment, "tags.new")):
            finding = Finding(address, address.partition("/")[0], field, FindingState.DRIFT, "", "live")
            own, path = _key(finding)
            keys = [key for key in provenance.keys(address, field) if not provenance.replaces(key.path)]
            zipped = config.processor.package == "zip"
            if path and field != ("image_uri" if zipped else "runtime"):
                table = "processor.image"
                file = config.environment if own else "common"
                assert Key(file, path) in keys or (path == table and all(key.path.startswith(table) for key in keys))
            elif path:
                assert field in ("runtime", "image_uri"), "of the other kind of package"
            known.update((key.path, field) for key in keys if not path)
    assert known == {
        ("alarms.connections_threshold_percent", "description"),
        ("alarms.cpu_threshold_percent", "description"),
        ("alarms.error_threshold", "description"),
        ("alarms.latency_threshold_ms", "description"),
        ("database.instance_class", "description"),
        ("database.engine_version", "cluster_parameter_group"),
        ("database.engine_version", "parameter_group"),
        ("final_snapshot", "tags.tapctl:deletion-window-days"),
        ("protected", "tags.tapctl:deletion-window-days"),
        ("service", "description"),
    }


def test_the_tables_of_parity_say_the_same(tmp_path: Path) -> None:
    assert {path for path in ENVIRONMENT_KEYS if not path.startswith("network.")} == ALLOWED_KEYS
    derived, listed = set(), set()
    for config in configurations(tmp_path).values():
        provenance = Provenance(config, "x")
        derived |= {field for path in ENVIRONMENT_KEYS for field in provenance.decided_by(path)}
        listed |= {
            (address, field)
            for address, field in fields(provenance)
            if any(fnmatchcase(address, kind) and field == name for kind, name in ALLOWED_FIELDS)
        }
    assert derived == listed
