// Tells whether a text holds what looks like a primary account number (PAN), so that it is refused and never kept.

const SHORTEST = 13;
const LONGEST = 19;
const SEARCHED = 64;
// As many digits has a security code, or an expiry date, that is glued to a number.
const GLUED = 4;
// How the digits stand in groups on cards, with the sum.
const ON_CARDS = [[4, 4, 4, 4], [4, 6, 5], [4, 6, 4]].map((grouped) => [grouped.reduce((a, b) => a + b), grouped]);
// Digits, each perhaps followed by a few marks: by neither letters nor numbers. (Modifier letters look like marks.)
const RUN = /\d(?:[^\p{Lu}\p{Ll}\p{Lt}\p{Lo}\p{N}]{0,3}\d)+/gu;
// Two groups or three with colons: one of one digit or two makes a time of day of them. More of them are no time.
const MAYBE_TIME = /(?<![\d:])\d+(?::\d+){1,2}(?![\d:])/g;
const APART = " ".repeat(4);
// Marks that are usual between the groups of a card number. Others stand between prices and telephone numbers as well:
// with those, only what a scheme gives out counts.
const USUAL = /^(?:[\s\p{Pd}._/·,|;+*#=~•\u2212\u20e3]*|:)$/u;
// What schemes give out, each by its first digits and its lengths: Visa; Mastercard; American Express; Diners Club;
// Mir, JCB, Maestro, Dankort, RuPay, Verve, Elo, UnionPay, Discover, Troy, UzCard and Humo.
const ISSUED = new RegExp(
  `^(?:${[
    "4(?:\\d{15}|\\d{18})",
    "(?=\\d{16}$)(?:5[1-5]|2(?:22[1-9]|2[3-9]|[3-6]|7[01]|720))\\d*",
    "3[47]\\d{13}",
    "(?=\\d{14,19}$)3(?:0[0-5]|095|[689])\\d*",
    "(?=\\d{16,19}$)(?:220[0-5]|35|50(?:18|19|20|38|[6-9]\\d)|5893|8[12]|8600|9792|9860)\\d*",
    "(?=\\d{16,19}$)6(?:0|2|304|3[6-9]|4[4-9]|5|759|76[1-37])\\d*",
  ].join("|")})$`,
);
const ISSUED_LENGTHS = [14, 15, 16];
// A UUID's longest group has 12 digits. Read as one number about one in a thousand random ones would pass for a card.
const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const DIGIT = /\p{Nd}/u;
// Digits that Unicode counts among other numbers or letters, each at the place of what it counts.
const OTHER_DIGITS = [
  ...["〇一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖", "零壹貳參肆伍陸柒捌玖", "零壱弐参肆伍陸漆捌玖", "〇〡〢〣〤〥〦〧〨〩"],
  ...["⓿❶❷❸❹❺❻❼❽❾", "🄋➀➁➂➃➄➅➆➇➈", "🄌➊➋➌➍➎➏➐➑➒", "⓪⓵⓶⓷⓸⓹⓺⓻⓼⓽"],
];
const COUNTS = new Map(OTHER_DIGITS.flatMap((row) => [...row].map((digit, count) => [digit, String(count)])));
const OTHER_DIGIT = new RegExp(`[${OTHER_DIGITS.join("")}]`, "gu");

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
  return (
    text
      // NFKC first: it makes ASCII's of full-width and mathematical digits.
      .normalize("NFKC")
      .replace(/[\p{Cf}\p{Default_Ignorable_Code_Point}]/gu, "")
      .replace(/(?![0-9])\p{Nd}/gu, valueOf)
      .replace(OTHER_DIGIT, (digit) => COUNTS.get(digit))
  );
}

/** The groups of digits in a text that have few marks between them, each with the marks before it; times are apart. */
function* runsOf(text) {
  const apart = text.replace(MAYBE_TIME, (found) => (/\b\d\d?\b/.test(found) ? found.replaceAll(":", APART) : found));
  for (const [found] of apart.matchAll(RUN)) {
    yield [...found.matchAll(/(\D*)(\d+)/gu)].map(([, marks, digits]) => ({ marks, digits }));
  }
}

/** Groups side by side as one number; and without what is glued to the last or the first, grouped as on a card. */
function* joined(groups) {
  for (const first of groups.keys()) {
    let digits = "";
    let usual = true;
    const lengths = [];
    // Each group has a digit at least.
    for (const next of groups.slice(first, first + LONGEST + GLUED)) {
      usual = digits === "" || (usual && USUAL.test(next.marks));
      digits += next.digits;
      lengths.push(next.digits.length);
      if (digits.length > LONGEST + GLUED) break;
      if (digits.length >= SHORTEST && digits.length <= LONGEST && (usual || ISSUED.test(digits))) yield digits;
      for (const [length, grouped] of ON_CARDS) {
        const glued = digits.length - length;
        if (glued < 1 || glued > GLUED || lengths.length !== grouped.length) continue;
        const more = grouped.map((many, at) => lengths[at] - many);
        if (more.at(-1) === glued && ISSUED.test(digits.slice(0, length))) yield digits.slice(0, length);
        if (more[0] === glued && ISSUED.test(digits.slice(glued))) yield digits.slice(glued);
      }
    }
  }
}

/** What may be a number within a group of digits that is longer. */
function* within(group) {
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

/** True if as many digits stand in a row, with usual marks between them, as no field has. */
function isLong(groups) {
  let length = 0;
  for (const { marks, digits } of groups) {
    length = (USUAL.test(marks) ? length : 0) + digits.length;
    if (length > SEARCHED) return true;
  }
  return false;
}

/** Whether a text holds 13 to 19 digits that pass Luhn, however grouped, also inside a longer run of digits. */
export function holdsCardNumber(text) {
  for (const groups of runsOf(plain(text))) {
    // Trying every part of it would take long.
    if (isLong(groups)) return true;
    const parts = groups.flatMap(({ digits }) => [...within(digits)]);
    if ([...joined(groups), ...parts].some(passesLuhn)) return true;
  }
  return false;
}

/** As `holdsCardNumber`, but a UUID is none: refusing one in a thousand payments for its id would help nobody. */
export function looksLikeCardNumber(text) {
  return !UUID.test(text) && holdsCardNumber(text);
}
