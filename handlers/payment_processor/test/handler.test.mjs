import assert from "node:assert/strict";
import { test } from "node:test";

import { createHandler } from "../handler.mjs";

const ENV = {
  ENVIRONMENT_NAME: "dev",
  DB_ENDPOINT: "db.example.internal",
  DB_PORT: "5432",
  DB_NAME: "payments",
  DB_SECRET_ARN: "arn:aws:secretsmanager:us-east-2:123456789012:secret:example",
};
const PAYMENT = {
  payment_id: "0a8b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d",
  merchant_id: "corner-shop-7",
  amount_minor: 1999,
  currency: "EUR",
  card_token: "tok_8fJ2kL0pQ4rT6vX1",
};
const CARD = "4111111111111111"; // a published test number

async function ask(event, env = ENV) {
  const lines = [];
  const handler = createHandler({ env, write: (line) => lines.push(line) });
  try {
    return { answer: await handler(event, { awsRequestId: "request-1" }), lines };
  } catch (error) {
    return { error, lines };
  }
}

const pay = (changes) => ask({ type: "payment", payment: { ...PAYMENT, ...changes } });
const fieldsOf = ({ answer }) => answer.error.problems.map((problem) => problem.field);

test("a health event tells the environment and that the configuration is complete", async () => {
  const { answer } = await ask({ type: "health" });
  assert.deepEqual(answer, {
    status: "healthy",
    environment: "dev",
    configuration: { complete: true, missing: [] },
  });
});

test("a health event names what is missing and no value", async () => {
  const { answer, lines } = await ask({ type: "health" }, { ...ENV, DB_ENDPOINT: "", DB_NAME: undefined });
  assert.equal(answer.status, "degraded");
  assert.deepEqual(answer.configuration, { complete: false, missing: ["DB_ENDPOINT", "DB_NAME"] });
  assert.ok(!JSON.stringify([answer, lines]).includes(ENV.DB_SECRET_ARN));
});

test("a health event without an environment name says so", async () => {
  const { answer } = await ask({ type: "health" }, {});
  assert.equal(answer.environment, "unknown");
  assert.equal(answer.configuration.missing.length, 5);
});

test("a good payment is accepted, and the answer says that nothing was stored", async () => {
  const { answer } = await pay({});
  assert.deepEqual(answer, { status: "accepted", payment_id: PAYMENT.payment_id, stored: false });
});

test("an optional description is accepted", async () => {
  assert.equal((await pay({ description: "Order 7, two cafés ☕" })).answer.status, "accepted");
});

test("a payment while the configuration is incomplete is an error of ours", async () => {
  const { error, lines } = await ask({ type: "payment", payment: PAYMENT }, { ...ENV, DB_SECRET_ARN: "" });
  assert.match(error.message, /missing: DB_SECRET_ARN$/);
  assert.equal(JSON.parse(lines[0]).level, "error");
});

for (const [field, bad] of [
  ["payment_id", "7"],
  ["payment_id", PAYMENT.payment_id.toUpperCase()],
  ["merchant_id", "Corner Shop"],
  ["amount_minor", 0],
  ["amount_minor", -5],
  ["amount_minor", 19.99],
  ["amount_minor", "1999"],
  ["amount_minor", 1_000_000_000_000],
  ["currency", "eur"],
  ["currency", "DEM"],
  ["currency", 978],
  ["card_token", "8fJ2kL0pQ4rT6vX1"],
  ["card_token", null],
  ["description", ""],
  ["description", "a\nb"],
  ["description", "x".repeat(141)],
]) {
  test(`a payment whose ${field} is ${JSON.stringify(bad).slice(0, 30)} is refused, naming that field alone`, async () => {
    const refused = await pay({ [field]: bad });
    assert.equal(refused.answer.status, "refused");
    assert.deepEqual(fieldsOf(refused), [`payment.${field}`]);
  });
}

test("every problem is told at once, with its rule", async () => {
  const refused = await ask({ type: "payment", payment: { extra: 1 } });
  assert.deepEqual(fieldsOf(refused), [
    "payment.payment_id",
    "payment.merchant_id",
    "payment.amount_minor",
    "payment.currency",
    "payment.card_token",
    "payment",
  ]);
  assert.equal(refused.answer.error.code, "invalid-event");
  assert.equal(refused.answer.error.message, "the event has 6 problems");
  assert.match(refused.answer.error.problems[5].rule, /unknown fields; allowed are: payment_id, /);
});

test("an inherited name is no field", async () => {
  assert.deepEqual(fieldsOf(await pay({ constructor: "x" })), ["payment"]);
});

for (const [what, event, field] of [
  ["nothing", undefined, "event"],
  ["null", null, "event"],
  ["a list", [], "event"],
  ["text", "payment", "event"],
  ["an unknown type", { type: "refund" }, "type"],
  ["no type", {}, "type"],
  ["an unknown field", { type: "health", shout: true }, "event"],
  ["a payment in a health event", { type: "health", payment: PAYMENT }, "payment"],
  ["no payment", { type: "payment" }, "payment"],
  ["a payment that is a list", { type: "payment", payment: [PAYMENT] }, "payment"],
]) {
  test(`an event with ${what} is refused`, async () => {
    const refused = await ask(event);
    assert.equal(refused.answer.status, "refused");
    assert.equal(refused.answer.error.message, "the event has 1 problem");
    assert.deepEqual(fieldsOf(refused), [field]);
  });
}

for (const [what, event, field] of [
  ["in place of the token", { type: "payment", payment: { ...PAYMENT, card_token: CARD } }, "payment.card_token"],
  ["within the token", { type: "payment", payment: { ...PAYMENT, card_token: `tok_${CARD}` } }, "payment.card_token"],
  ["in the description", { type: "payment", payment: { ...PAYMENT, description: `card ${CARD}` } }, "payment.description"],
  ["as a number", { type: "payment", payment: { ...PAYMENT, amount_minor: Number(CARD) } }, "payment.amount_minor"],
  ["in an unknown field", { type: "payment", payment: { ...PAYMENT, pan: CARD } }, "payment.pan"],
  ["deep in an unknown field", { type: "payment", payment: { ...PAYMENT, a: [{ b: CARD }] } }, "payment.a.?.b"],
  ["as a field's name", { type: "payment", payment: { ...PAYMENT, [CARD]: 1 } }, "payment.?"],
  ["as the type", { type: CARD }, "type"],
  ["outside the payment", { type: "health", note: CARD }, "note"],
]) {
  test(`a card number ${what} is refused, and neither answered nor logged`, async () => {
    const refused = await ask(event);
    const found = refused.answer.error.problems.filter((problem) => /looks like a card number/.test(problem.rule));
    assert.deepEqual(found.map((problem) => problem.field), [field]);
    assert.equal(refused.answer.status, "refused");
    assert.ok(!JSON.stringify([refused.answer, refused.lines]).includes(CARD));
  });
}

test("a card number in a UUID's groups is answered to its sender alone", async () => {
  const payment_id = "41111111-1111-1111-8000-000000000000";
  const { answer, lines } = await pay({ payment_id });
  assert.equal(answer.status, "accepted");
  assert.equal(JSON.parse(lines[0]).payment_id, "withheld: it reads like a card number");
  assert.ok(!lines[0].replaceAll("-", "").includes(CARD));
});

test("a name that is none of ours is answered, and not logged: it may be a card holder's", async () => {
  const refused = await pay({ john_doe: CARD, metadata: { jane_doe: { note: CARD } } });
  assert.ok(fieldsOf(refused).includes("payment.john_doe"));
  assert.deepEqual(JSON.parse(refused.lines[0]).fields, ["payment.?", "payment.?.?.?", "payment"]);
});

const nested = (depth, beside = "") => JSON.parse(`${`[${beside}`.repeat(depth)}[]${"]".repeat(depth)}`);
const long = (length) => "4 ".repeat(length / 2);
const named = (count) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`field_${"x".repeat(at)}`, CARD]));

for (const [what, hostile, field] of [
  ["nested deeply", { deep: nested(100_000) }, "event"],
  ["nested deeply, with a card number at each level", { deep: nested(9999, `"${CARD}",`) }, "event"],
  ["of many elements", { list: Array(1_000_000).fill(CARD) }, "event"],
  ["of many names", named(5000), "event"],
  ["with a text of digits", { text: "4".repeat(5_000_000) }, "text"],
  ["with a text of many numbers", { text: long(5_000_000) }, "text"],
  ["with a text of combining characters", { text: `a${"\u0301".repeat(3_000_000)}` }, "text"],
  ["with a name that is a text", { ["4 ".repeat(2_000_000)]: 1 }, "?"],
]) {
  test(`an event ${what} is refused at once, in few words`, async () => {
    const began = performance.now();
    const refused = await ask({ type: "health", ...hostile });
    assert.ok(performance.now() - began < 5000);
    assert.equal(refused.answer.status, "refused");
    assert.ok(fieldsOf(refused).includes(field));
    assert.ok(JSON.stringify(refused.answer).length < 100_000);
    assert.ok(refused.lines.join().length < 10_000);
    assert.ok(!JSON.stringify([refused.answer, refused.lines]).includes(CARD));
  });
}

test("a description as long as can be is refused by its own rule", async () => {
  const refused = await pay({ description: "x".repeat(5_000_000) });
  assert.deepEqual(new Set(fieldsOf(refused)), new Set(["payment.description"]));
});

for (const [what, json] of [
  ["an event's", '{"__proto__": {"type": "health"}}'],
  ["a payment's", '{"type": "payment", "payment": {"__proto__": {"a": 1}, "constructor": {"prototype": {"a": 1}}}}'],
]) {
  test(`${what} prototype is not to be had`, async () => {
    const refused = await ask(JSON.parse(json));
    assert.equal(refused.answer.status, "refused");
    assert.equal({}.type, undefined);
    assert.equal({}.a, undefined);
  });
}

test("fields that are inherited are none", async () => {
  const refused = await ask({ type: "payment", payment: Object.create(PAYMENT) });
  assert.equal(fieldsOf(refused).length, 5);
});

for (const amount_minor of [NaN, Infinity, -Infinity, -0, 1e21, 19.000001, 1999n, "1999n", "1e3", [1999], {}, true]) {
  test(`an amount of ${typeof amount_minor} ${String(amount_minor)} is refused`, async () => {
    assert.ok(fieldsOf(await pay({ amount_minor })).includes("payment.amount_minor"));
  });
}

for (const [field, value] of [
  ["currency", CARD],
  ["currency", "EUR\u0000"],
  ["merchant_id", `m${CARD}`],
  ["payment_id", CARD],
  ["description", "\u0664".padEnd(16, "\u0661")],
  ["amount_minor", BigInt(CARD)],
]) {
  test(`${JSON.stringify(String(value))} for ${field} is neither answered nor logged`, async () => {
    const refused = await pay({ [field]: value });
    assert.ok(fieldsOf(refused).includes(`payment.${field}`));
    assert.ok(!JSON.stringify([refused.answer, refused.lines]).includes(String(value)));
  });
}

test("what a payment holds stands in no error of ours either", async () => {
  const { error, lines } = await ask({ type: "payment", payment: PAYMENT }, {});
  for (const value of Object.values(PAYMENT)) {
    assert.ok(!`${error.message}${error.stack}${lines.join()}`.includes(String(value)));
  }
});

test("a description of as many characters as may be, each of two code units", async () => {
  assert.equal((await pay({ description: "\u{1f980}".repeat(140) })).answer.status, "accepted");
  assert.deepEqual(fieldsOf(await pay({ description: "\u{1f980}".repeat(141) })), ["payment.description"]);
});

test("logs are JSON lines with the request and the environment, and without the token", async () => {
  const { lines } = await pay({});
  assert.equal(lines.length, 1);
  const entry = JSON.parse(lines[0]);
  assert.equal(entry.level, "info");
  assert.equal(entry.environment, "dev");
  assert.equal(entry.request_id, "request-1");
  assert.equal(entry.payment_id, PAYMENT.payment_id);
  assert.ok(!Number.isNaN(Date.parse(entry.time)));
  assert.ok(!lines[0].includes(PAYMENT.card_token));
});

test("a refusal is logged with the fields and without their values", async () => {
  const { lines } = await pay({ merchant_id: "Not A Merchant" });
  assert.deepEqual(JSON.parse(lines[0]).fields, ["payment.merchant_id"]);
  assert.ok(!lines[0].includes("Not A Merchant"));
});
