// The schema of a payment: closed, every field checked, all problems told at once, no value ever repeated.
import { CURRENCIES } from "./currencies.mjs";

const MAX_AMOUNT = 999_999_999_999; // 12 digits, as in ISO 8583; also shorter than any card number
const MAX_DESCRIPTION = 140;

const matches = (pattern) => (value) => typeof value === "string" && pattern.test(value);

const FIELDS = {
  payment_id: {
    valid: matches(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/),
    rule: "must be a UUID in lower case",
  },
  merchant_id: {
    valid: matches(/^[a-z][a-z0-9-]{2,39}$/),
    rule: "must be 3 to 40 lower-case letters, digits and hyphens, and start with a letter",
  },
  amount_minor: {
    valid: (value) => Number.isInteger(value) && value >= 1 && value <= MAX_AMOUNT,
    rule: `must be an integer from 1 to ${MAX_AMOUNT}, in the currency's minor units (cents)`,
  },
  currency: {
    valid: (value) => CURRENCIES.has(value),
    rule: "must be an active ISO 4217 code in upper case, such as EUR",
  },
  card_token: {
    valid: matches(/^tok_[A-Za-z0-9]{16,64}$/),
    rule: "must be a token of the card vault: tok_ and 16 to 64 letters and digits; never a card number",
  },
  description: {
    optional: true,
    // A character has at most two code units; the first bound keeps the second one cheap.
    valid: (value) =>
      matches(/^[^\p{C}]+$/u)(value) && value.length <= 2 * MAX_DESCRIPTION && [...value].length <= MAX_DESCRIPTION,
    rule: `must be text of 1 to ${MAX_DESCRIPTION} characters, none invisible or a control character, or absent`,
  },
};

/** Every name that a field of ours has, and that may stand in a log. */
export const PAYMENT_FIELDS = new Set(Object.keys(FIELDS));

export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** @returns {{field: string, rule: string}[]} everything that is wrong with it; empty for a good one */
export function validatePayment(payment) {
  if (!isObject(payment)) return [{ field: "payment", rule: "must be an object" }];
  const problems = Object.entries(FIELDS)
    .filter(([name, { optional, valid }]) => !(Object.hasOwn(payment, name) ? valid(payment[name]) : optional))
    .map(([name, { rule }]) => ({ field: `payment.${name}`, rule }));
  if (Object.keys(payment).some((name) => !PAYMENT_FIELDS.has(name))) {
    problems.push({ field: "payment", rule: `has unknown fields; allowed are: ${[...PAYMENT_FIELDS].join(", ")}` });
  }
  return problems;
}
