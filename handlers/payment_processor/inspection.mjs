// Walks a whole event, whatever it is, before anything else looks at it: card numbers anywhere, and more than any event
// of ours has. What it takes is bounded, in time, in memory and in what it tells, so that no event can exhaust us.
import { looksLikeCardNumber } from "./card_number.mjs";

const MAX_VALUES = 200;
const MAX_DEPTH = 8;
const MAX_TEXT = 1000;
const SAFE_NAME = /^[a-z_]{1,40}$/;

const CARD_NUMBER = "looks like a card number; send the card's token, never the number";

/** What is wrong with a value or with a name, whichever field it is in; nothing for what may be right. */
function ruleFor(value) {
  if (typeof value === "string" && value.length > MAX_TEXT) return `must be at most ${MAX_TEXT} characters`;
  const told = ["string", "number", "bigint"].includes(typeof value) && looksLikeCardNumber(String(value));
  return told ? CARD_NUMBER : undefined;
}

/**
 * Everything that is wrong with an event (an object) wherever it stands.
 *
 * Never a value, since that may be a card number; nor a name that is no plain word, which is shown as `?`.
 *
 * @returns {{field: string, rule: string}[]} one problem for each field at most, in the order of their names
 */
export function inspect(event) {
  const problems = new Map();
  const tell = (field, rule) => rule !== undefined && problems.set(field, rule);
  const left = [{ path: "", depth: 0, value: event }];
  for (let seen = 0; left.length > 0; seen += 1) {
    const { path, depth, value } = left.pop();
    if (value === null || typeof value !== "object") {
      tell(path, ruleFor(value));
      continue;
    }
    if (depth === MAX_DEPTH) {
      tell("event", `must be at most ${MAX_DEPTH} levels deep`);
      continue;
    }
    const size = Array.isArray(value) ? value.length : Object.keys(value).length;
    if (seen + left.length + size > MAX_VALUES) {
      tell("event", `must have at most ${MAX_VALUES} values`);
      break;
    }
    for (const name of Object.keys(value)) {
      const shown = SAFE_NAME.test(name) ? name : "?";
      const inner = path === "" ? shown : `${path}.${shown}`;
      tell(inner, ruleFor(name));
      left.push({ path: inner, depth: depth + 1, value: value[name] });
    }
  }
  return [...problems].sort(([one], [other]) => (one < other ? -1 : 1)).map(([field, rule]) => ({ field, rule }));
}
