// Two kinds of event: {"type": "health"} and {"type": "payment", "payment": {…}}.
//
// It validates a payment and says whether it would be accepted. It stores nothing and charges nobody.
// A bad event is the caller's fault and gets an answer; only a fault of ours is thrown, so that the alarm on function
// errors means something.
import { holdsCardNumber } from "./card_number.mjs";
import { readConfiguration } from "./configuration.mjs";
import { inspect } from "./inspection.mjs";
import { isObject, PAYMENT_FIELDS, validatePayment } from "./payment.mjs";

const WITHHELD = "withheld: it reads like a card number";
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
      log("warn", "event refused", { fields: [...new Set(problems.map((problem) => logged(problem.field)))] });
      return { status: "refused", error: { code: "invalid-event", message: sentence(problems), problems } };
    }
    if (event.type === "health") {
      const status = missing.length === 0 ? "healthy" : "degraded";
      log(missing.length === 0 ? "info" : "error", "health asked", { status, missing });
      return { status, environment, configuration: { complete: missing.length === 0, missing } };
    }
    if (missing.length > 0) {
      log("error", "payment turned away: the configuration is incomplete", { missing });
      throw new Error(`the configuration is incomplete, missing: ${missing.join(", ")}`);
    }
    const { payment_id } = event.payment;
    // The first groups of a UUID have room for 16 digits, and a log is no place to find out why.
    log("info", "payment accepted", { payment_id: holdsCardNumber(payment_id) ? WITHHELD : payment_id });
    return { status: "accepted", payment_id, stored: false };
  };
}

/** Everything that is wrong with an event: where, and the rule. Never a value, since that may be a card number. */
function problemsOf(event) {
  if (!isObject(event)) return [{ field: "event", rule: "must be an object" }];
  const problems = inspect(event);
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

/** A path as it may be logged: our own names alone, since a sender's may be a card holder's. */
function logged(path) {
  const known = (name) => name === "event" || EVENT_FIELDS.has(name) || PAYMENT_FIELDS.has(name);
  return path.split(".").map((name) => (known(name) ? name : "?")).join(".");
}

function sentence(problems) {
  return problems.length === 1 ? "the event has 1 problem" : `the event has ${problems.length} problems`;
}
