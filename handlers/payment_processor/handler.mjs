// Two kinds of event: {"type": "health"} and {"type": "payment", "payment": {…}}.
//
// It validates a payment and says whether it would be accepted. It stores nothing and charges nobody.
// A bad event is the caller's fault and gets an answer; only a fault of ours is thrown, so that the alarm on function
// errors means something.
import { findCardNumbers } from "./card_number.mjs";
import { readConfiguration } from "./configuration.mjs";
import { isObject, validatePayment } from "./payment.mjs";

const EVENT_FIELDS = new Set(["type", "payment"]);

/**
 * @param {{env: Record<string, string | undefined>, write: (line: string) => void}} world
 * @returns {(event: unknown, context?: {awsRequestId?: string}) => Promise<object>} the handler; it throws when a
 *   payment arrives and the configuration is incomplete
 */
export function createHandler({ env, write }) {
  return async function handler(event, context) {
    const { environment, missing } = readConfiguration(env);
    const log = (level, message, facts) => {
      const time = new Date().toISOString();
      write(JSON.stringify({ time, level, message, environment, request_id: context?.awsRequestId ?? null, ...facts }));
    };

    const problems = problemsOf(event);
    if (problems.length > 0) {
      const fields = problems.map((problem) => problem.field);
      log("warn", "event refused", { fields });
      return { status: "refused", error: { code: "invalid-event", message: sentence(problems), problems } };
    }
    if (event.type === "health") {
      const status = missing.length === 0 ? "healthy" : "degraded";
      log(missing.length === 0 ? "info" : "error", "health asked", { status, missing });
      return { status, environment, configuration: { complete: missing.length === 0, missing } };
    }
    if (missing.length > 0) {
      log("error", "payment not looked at: the configuration is incomplete", { missing });
      throw new Error(`the configuration is incomplete, missing: ${missing.join(", ")}`);
    }
    const { payment_id } = event.payment;
    log("info", "payment accepted", { payment_id });
    return { status: "accepted", payment_id, stored: false };
  };
}

/** Everything that is wrong with an event: where, and the rule. Never a value, since that may be a card number. */
function problemsOf(event) {
  if (!isObject(event)) return [{ field: "event", rule: "must be an object" }];
  const problems = findCardNumbers(event).map((field) => ({
    field,
    rule: "looks like a card number; send the card's token, never the number",
  }));
  if (Object.keys(event).some((name) => !EVENT_FIELDS.has(name))) {
    problems.push({ field: "event", rule: "has unknown fields; allowed are: type, payment" });
  }
  if (event.type === "payment") {
    problems.push(...validatePayment(event.payment));
  } else if (event.type !== "health") {
    problems.push({ field: "type", rule: "must be health or payment" });
  } else if (Object.hasOwn(event, "payment")) {
    problems.push({ field: "payment", rule: "does not belong in a health event" });
  }
  return problems;
}

function sentence(problems) {
  return problems.length === 1 ? "the event has 1 problem" : `the event has ${problems.length} problems`;
}
