import assert from "node:assert/strict";
import { test } from "node:test";

import { holdsCardNumber, looksLikeCardNumber } from "../card_number.mjs";

function inDigitsFrom(zero) {
  return "4111111111111111".replace(/\d/g, (digit) => String.fromCodePoint(zero + Number(digit)));
}

for (const [what, text] of [
  ["16 digits (Visa)", "4111111111111111"],
  ["13 digits (old Visa)", "4222222222222"],
  ["15 digits (American Express)", "378282246310005"],
  ["14 digits (Diners Club)", "30569309025904"],
  ["19 digits (Maestro)", "6304000000000000000"],
  ["groups with spaces", "4111 1111 1111 1111"],
  ["groups with hyphens", "4111-1111-1111-1111"],
  ["groups with wide gaps", "4111 - 1111 - 1111 - 1111"],
  ["text around it", "paid with x5555555555554444x today"],
  ["its expiry date glued to it", "41111111111111111229"],
  ["a digit glued to it", "41111111111111119"],
  ["a digit glued before it", "94111111111111111"],
  ["its security code glued to it", "3782822463100051234"],
  ["its security code glued to it (Mastercard)", "5555555555554444123"],
  ...[..."|,;+*#=~\u2022\u2212:"].map((mark) => [`groups with ${mark}`, ["4111", "1111", "1111", "1111"].join(mark)]),
  ...[..."'’\"`()\\&!?<>[]{}^%$@→∙⋅‧・、。¦⁄∕×⁃\u2800\u0301\u02bc"].map((mark) => [
    `groups with ${mark}`,
    ["4111", "1111", "1111", "1111"].join(mark),
  ]),
  ["pairs with colons", "41:11:11:11:11:11:11:11"],
  ["digits with colons", [..."4111111111111111"].join(":")],
  ["groups with a colon and spaces", "4111 : 1111 : 1111 : 1111"],
  ["groups in brackets", "(4111) (1111) (1111) (1111)"],
  ["letters between that nobody sees", "4111\u31641111\u115f1111\u180e1111"],
  ["its security code glued to its last group", "4111 1111 1111 1111123"],
  ["its security code glued to its last group (American Express)", "3782-822463-100051234"],
  ["a digit glued to its first group", "94111 1111 1111 1111"],
  ...["6228480123456789", "2200220123456780", "6074151234567898", "5085001234567894", "6759649826438453"].map((number) => [
    `its security code glued to it (${number.slice(0, 4)}…)`,
    `${number}901`,
  ]),
  ["Chinese digits", "四一一一一一一一一一一一一一一一"],
  ["Chinese digits of banks", "肆壹壹壹 壹壹壹壹 壹壹壹壹 壹壹壹壹"],
  ["circled digits, white on black", "❹❶❶❶❶❶❶❶❶❶❶❶❶❶❶❶"],
  ["circled digits without serifs", "➃➀➀➀➀➀➀➀➀➀➀➀➀➀➀➀"],
  ["digits circled twice, with a zero", "⓸⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪⓪⓶"],
  ["keycaps", "4111111111111111".replace(/\d/g, "$&\ufe0f\u20e3")],
  ["circled digits", "\u2463" + "\u2460".repeat(15)],
  ["inside a payment's id", "pay_4111111111111111_x"],
  ["too many digits to rule one out", "1".repeat(65)],
  ["its expiry date after it", "4111111111111111 12/29"],
  ["its security code after it", "4111 1111 1111 1111 123"],
  ["a number before it", "1 4111111111111111"],
  ["full-width digits", inDigitsFrom(0xff10)],
  ["Arabic-Indic digits", inDigitsFrom(0x0660)],
  ["Devanagari digits", inDigitsFrom(0x0966)],
  ["mathematical digits", inDigitsFrom(0x1d7e2)],
  ["Adlam digits, beyond the basic plane", inDigitsFrom(0x1e950)],
  ["digits of several scripts", `4111\u0661\u0661\u0661\u0661\u096711111\uff111`],
  ["invisible characters between", "4111\u200b1111\u00ad1111\u20601111"],
  ["dashes that are no hyphens", "4111\u20131111\u20141111\u20111111"],
  ["no-break spaces", "4111\u00a01111\u202f1111\u20091111"],
]) {
  test(`a card number is seen: ${what}`, () => assert.equal(looksLikeCardNumber(text), true));
}

for (const [what, text] of [
  ["nothing", ""],
  ["a wrong check digit", "4111111111111112"],
  ["12 digits", "411111111116"],
  ["digits far apart", "4111 and 1111 and 1111 and 1111"],
  ["an amount", "999999999999"],
  ["a date and a time", "2026-11-23 12:30:45"],
  ["times of a day", "2026-11-23 12:30:46, 2026-11-23 12:30:47"],
  ["invoices", "invoices 1001, 1002, 1003, 1004"],
  ["prices", "41,64 € + 469,31 € + 116,17 € + 5,11 €"],
  ["a telephone number", "Tel. +49 (0)30 12345674"],
  ["Chinese text with numbers", "第三季度二〇二六年十一月二十三日第一百二十三号"],
  ["numbers of no scheme in brackets", "(1111) (1111) (1111) (1117)"],
  ["a UUID of digits that would pass", "41111111-1111-1111-0000-000000000000"],
  ["a long number that holds none", "1".repeat(20)],
]) {
  test(`no card number is seen: ${what}`, () => assert.equal(looksLikeCardNumber(text), false));
}

test("the digits of a UUID are seen where they are looked for", () => {
  assert.equal(holdsCardNumber("41111111-1111-1111-8000-000000000000"), true);
  assert.equal(holdsCardNumber("0a8b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d"), false);
});

test("every digit of every script counts what it says", () => {
  const codes = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code));
  const digits = codes.filter((character) => /\p{Nd}/u.test(character));
  // Unicode has them in rows of ten; of those, only a 2 is this number's check digit.
  for (const [index, digit] of digits.entries()) {
    assert.equal(looksLikeCardNumber(`400000000000000${digit}`), index % 10 === 2, digit.codePointAt(0).toString(16));
  }
});

test("the time taken grows with the text, and not with its square", () => {
  for (const repeated of ["1'", "12'34'", "1'''", "1::", "❶'"]) {
    const begun = performance.now();
    assert.equal(holdsCardNumber(repeated.repeat(60_000)), false);
    // It is less than one, and was forty.
    assert.ok(performance.now() - begun < 15_000, repeated);
  }
});
