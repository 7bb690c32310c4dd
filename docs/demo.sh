#!/bin/sh
# The whole story on the embedded AWS: planned, applied, changed by hand, found, repaired, destroyed. Run by make demo.
set -eu
# The story is told in a folder of its own, whatever the caller's shell points tapctl at.
unset TAPCTL_CONFIG TAPCTL_ENV TAPCTL_STATE
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
cp -R "$here/environments" "$here/handlers" "$work/"
cd "$work"
trap 'tapctl sandbox stop --quiet >/dev/null 2>&1 || true; rm -rf "$work"' EXIT INT TERM

say() { printf '\n\033[1m# %s\033[0m\n' "$1"; }
[ -t 1 ] || say() { printf '\n# %s\n' "$1"; }
run() { printf '$ %s\n' "$*"; "$@"; }
# A command that is expected to find something: its exit status is part of the story.
finds() { status=$1; shift; printf '$ %s\n' "$*"; rc=0; "$@" || rc=$?; printf '(exit %s)\n' "$rc"; [ "$rc" = "$status" ]; }

say "Every environment's file is checked offline, and the environments differ only in what may differ"
run tapctl validate
run tapctl parity

say "What would be made in dev"
run tapctl --sandbox plan --env dev

say "Make it, and read every field back"
run tapctl --sandbox apply --env dev --yes

say "Apply again: nothing to do, not one changing call"
run tapctl --sandbox apply --env dev --yes
run tapctl outputs cluster_endpoint --env dev

say "Somebody opens the database to an office network, and gives the function a longer timeout, by hand"
run python "$here/docs/demo_tamper.py" "$(tapctl sandbox status --json | sed -n 's/.*"value": *"\(http[^"]*\)".*/\1/p')" dev us-east-2

say "drift finds it, field by field (exit 2)"
finds 2 tapctl --sandbox drift --env dev

say "apply says what it undoes, and undoes it"
run tapctl --sandbox apply --env dev --yes
run tapctl --sandbox drift --env dev

say "Destroy it: everything goes, in order, and a sweep proves it"
run tapctl --sandbox destroy --env dev --yes
