import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { test } from "node:test";

import { CURRENCIES } from "../currencies.mjs";

test("index.handler, called as Lambda calls it, writes one JSON line and answers from its environment", () => {
  const index = new URL("../index.mjs", import.meta.url).href;
  const script = `
    const { handler } = await import(${JSON.stringify(index)});
    const answer = await handler({ type: "health" });
    process.stderr.write(JSON.stringify(answer));
  `;
  const run = spawnSync(process.execPath, ["--input-type=module", "--eval", script], {
    cwd: fileURLToPath(new URL("..", import.meta.url)),
    env: { ENVIRONMENT_NAME: "staging" },
    encoding: "utf8",
  });
  assert.equal(run.status, 0, run.stderr);
  const answer = JSON.parse(run.stderr);
  assert.equal(answer.environment, "staging");
  assert.equal(answer.status, "degraded");
  const lines = run.stdout.trimEnd().split("\n");
  assert.equal(lines.length, 1);
  assert.equal(JSON.parse(lines[0]).request_id, null);
});

test("currencies are codes of three capital letters", () => {
  assert.ok(CURRENCIES.size > 150);
  for (const code of CURRENCIES) assert.match(code, /^[A-Z]{3}$/);
});
