import assert from "node:assert/strict";
import { test } from "node:test";

import { looksLikeCardNumber } from "../card_number.mjs";

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
  ["too many digits to rule one out", "1".repeat(65)],
  ["full-width digits", "4111111111111111".replace(/\d/g, (digit) => String.fromCharCode(0xff10 + Number(digit)))],
]) {
  test(`a card number is seen: ${what}`, () => assert.equal(looksLikeCardNumber(text), true));
}

for (const [what, text] of [
  ["nothing", ""],
  ["a wrong check digit", "4111111111111112"],
  ["12 digits", "411111111116"],
  ["digits far apart", "4111 and 1111 and 1111 and 1111"],
  ["an amount", "999999999999"],
  ["a UUID of digits that would pass", "41111111-1111-1111-0000-000000000000"],
  ["a long number that holds none", "1".repeat(20)],
]) {
  test(`no card number is seen: ${what}`, () => assert.equal(looksLikeCardNumber(text), false));
}
