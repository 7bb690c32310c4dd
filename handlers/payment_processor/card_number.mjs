// Tells whether a text holds what looks like a primary account number (PAN), so that it is refused and never kept.

const SHORTEST = 13;
const LONGEST = 19;
const SEARCHED = 64;
// Digits, each perhaps followed by a little of what people put between the groups of a card number.
// (A colon between two digits and two is a time of day.)
const RUN = /\d(?:(?:[\s\p{Pd}._/·,|;+*#=~•\u2212\ufe0f\u20e3]{0,3}|(?<=\d{3}):(?=\d{3}))\d)+/gu;
// What the large schemes give out, by length: looked for within a group that has a digit or a security code glued to it.
const ISSUED =
  /^(?:4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|6(?:011|4[4-9]\d|5\d\d)\d{12}|35\d{14}|3[47]\d{13}|3(?:0[0-5]|[68]\d)\d{11})$/;
const ISSUED_LENGTHS = [14, 15, 16];
// A UUID's longest group has 12 digits. Read as one number about one in a thousand random ones would pass for a card.
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DIGIT = /\p{Nd}/u;

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

/** What this digit of any script counts: Unicode has each script's ten in a row, and some rows side by side. */
function valueOf(digit) {
  const code = digit.codePointAt(0);
  let before = 0;
  while (DIGIT.test(String.fromCodePoint(code - before - 1))) before += 1;
  return before % 10;
}

/** The text with every script's digits as ASCII has them, and without what nobody sees between them. */
function plain(text) {
  // NFKC first: it makes ASCII's of full-width and mathematical digits.
  return text.normalize("NFKC").replace(/\p{Cf}/gu, "").replace(/(?![0-9])\p{Nd}/gu, valueOf);
}

/** What in these groups of digits may be a card number: groups side by side, or a part of a group that is longer. */
function* candidates(groups) {
  for (const [first, group] of groups.entries()) {
    let digits = "";
    for (const next of groups.slice(first)) {
      digits += next;
      if (digits.length > LONGEST) break;
      if (digits.length >= SHORTEST) yield digits;
    }
    for (const length of ISSUED_LENGTHS) {
      for (let start = 0; length < group.length && start + length <= group.length; start += 1) {
        const part = group.slice(start, start + length);
        if (ISSUED.test(part)) yield part;
      }
    }
    // A number with something glued to it, such as its expiry date.
    for (let length = SHORTEST; group.length > LONGEST && length <= LONGEST; length += 1) {
      for (let start = 0; start + length <= group.length; start += 1) yield group.slice(start, start + length);
    }
  }
}

/** Whether a text holds 13 to 19 digits that pass Luhn, however grouped, also inside a longer run of digits. */
export function holdsCardNumber(text) {
  for (const [run] of plain(text).matchAll(RUN)) {
    const groups = run.match(/\d+/g);
    // No field has such a number, and trying every part of it would take long.
    if (groups.join("").length > SEARCHED) return true;
    for (const digits of candidates(groups)) {
      if (passesLuhn(digits)) return true;
    }
  }
  return false;
}

/** As `holdsCardNumber`, but a UUID is none: refusing one in a thousand payments for its id would help nobody. */
export function looksLikeCardNumber(text) {
  return !UUID.test(text) && holdsCardNumber(text);
}
