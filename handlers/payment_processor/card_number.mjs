// Finds what looks like a primary account number (PAN) anywhere in an event, so that it is refused and never kept.

const SHORTEST = 13;
const LONGEST = 19;
const SEARCHED = 64;
// Digits, each perhaps followed by a little of what people put between the groups of a card number.
const RUN = /\d(?:[\s\-._/]{0,3}\d)+/g;
// A UUID's longest group has 12 digits. Read as one number about one in a thousand random ones would pass for a card.
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const SAFE_NAME = /^[a-z_]{1,40}$/;

/** The check digit of ISO/IEC 7812-1: from the right, every second digit counts twice. */
function passesLuhn(digits) {
  let sum = 0;
  for (let i = 0; i < digits.length; i += 1) {
    const digit = Number(digits[digits.length - 1 - i]);
    const counted = i % 2 === 0 ? digit : digit * 2;
    sum += counted > 9 ? counted - 9 : counted;
  }
  return sum % 10 === 0;
}

/** Whether a text holds 13 to 19 digits that pass Luhn, however grouped, also inside a longer run of digits. */
export function looksLikeCardNumber(text) {
  // NFKC: full-width and other compatibility digits are digits too.
  const plain = text.normalize("NFKC");
  if (UUID.test(plain)) return false;
  for (const [run] of plain.matchAll(RUN)) {
    const digits = run.replace(/\D/g, "");
    if (digits.length <= LONGEST) {
      if (digits.length >= SHORTEST && passesLuhn(digits)) return true;
      continue;
    }
    // No field has such a number, and trying every part of megabytes of digits would outlast the function's time.
    if (digits.length > SEARCHED) return true;
    // A number with something glued to it, such as its expiry date.
    for (let length = SHORTEST; length <= LONGEST; length += 1) {
      for (let start = 0; start + length <= digits.length; start += 1) {
        if (passesLuhn(digits.slice(start, start + length))) return true;
      }
    }
  }
  return false;
}

/**
 * Paths of every field whose value or name looks like a card number. A name that is not a plain word is shown as `?`:
 * it may be the number itself. Walks with a list of its own, so that deep nesting cannot exhaust the stack.
 */
export function findCardNumbers(event) {
  const found = new Set();
  const left = [["event", event]];
  while (left.length > 0) {
    const [path, value] = left.pop();
    if (value !== null && typeof value === "object") {
      for (const [name, inner] of Object.entries(value)) {
        const shown = SAFE_NAME.test(name) ? name : "?";
        const innerPath = path === "event" ? shown : `${path}.${shown}`;
        if (looksLikeCardNumber(name)) found.add(innerPath);
        left.push([innerPath, inner]);
      }
    } else if (typeof value === "string" || typeof value === "number") {
      if (looksLikeCardNumber(String(value))) found.add(path);
    }
  }
  return [...found].sort();
}
