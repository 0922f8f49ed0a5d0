import { createHash, hkdfSync } from "node:crypto";
import { inspect } from "node:util";
import { describe, expect, test } from "vitest";
import { parseSealingKey } from "../../../../src/worker/crypto/sealing-key.ts";
import { systemRandom, toHex, utf8 } from "../../../../src/worker/lib/bytes.ts";
import { keyBytes, keyText, sealingKeyOf } from "./sealing-keys.ts";

const base64 = (bytes: number) => Buffer.from(systemRandom(bytes)).toString("base64");

test("a sealing key's id is the first 8 bytes of its SHA-256", async () => {
  const key = await sealingKeyOf(1);
  const digest = createHash("sha256").update(keyBytes(1)).digest();
  expect(toHex(key.id)).toBe(digest.subarray(0, 8).toString("hex"));
  expect(key.idHex).toBe(toHex(key.id));
});

test("the key cannot be read out of what is kept of it", async () => {
  const key = await sealingKeyOf(1);
  const shown = `${JSON.stringify(key)} ${inspect(key, { depth: null, showHidden: true, maxArrayLength: null })}`;
  expect(shown).toContain(key.idHex);
  for (const form of [
    keyText(1),
    keyBytes(1).toString("hex"),
    [...keyBytes(1)].join(","),
    [...keyBytes(1)].join(", "),
  ]) {
    expect(shown.replaceAll(/\s+/g, " ")).not.toContain(form);
  }
});

test("derivation is RFC 5869's: what another implementation gives", async () => {
  const key = await sealingKeyOf(1);
  for (const [info, salt, bytes] of [
    ["a", Buffer.alloc(0), 32],
    ["signalbox/seal/v1", Buffer.alloc(32, 3), 64],
  ] as const) {
    const expected = Buffer.from(hkdfSync("sha256", keyBytes(1), salt, info, bytes)).toString("hex");
    expect(toHex(key.derive(utf8(info), salt, bytes))).toBe(expected);
  }
});

test.each([
  ["as the recipe prints it, with a newline", `${keyText(1)}\n`],
  ["with Windows' newline", `${keyText(1)}\r\n`],
  ["with blanks around it", `  ${keyText(1)}\t`],
  ["bare", keyText(1)],
])("a key is read %s", async (_, text) => {
  expect(await parseSealingKey("ACCESS_KEY_ENCRYPTION", text)).toMatchObject({ idHex: (await sealingKeyOf(1)).idHex });
});

describe("a text that is no key is refused in words that do not quote it", () => {
  const key = keyText(3);
  test.each<[string, string, RegExp]>([
    ["16 bytes", base64(16), /^holds 16 bytes where 32 are needed$/],
    ["24 bytes", base64(24), /^holds 24 bytes where 32 are needed$/],
    ["31 bytes", base64(31), /^holds 31 bytes/],
    ["33 bytes", base64(33), /^holds 33 bytes/],
    ["48 bytes", base64(48), /^holds 48 bytes/],
    ["64 bytes", base64(64), /^holds 64 bytes/],
    ["blanks alone", " \n", /^holds 0 bytes/],
    ["no padding", keyText(3).replace("=", ""), /^is not standard base64/],
    ["base64url", keyBytes(255).toString("base64url"), /^is not standard base64/],
    ["hex", keyBytes(3).toString("hex"), /^holds 48 bytes/],
    ["a blank inside", `${key.slice(0, 20)} ${key.slice(20)}`, /^is not standard base64/],
    ["a newline inside", `${key.slice(0, 20)}\n${key.slice(20)}`, /^is not standard base64/],
    ["trailing bits that are not zero", keyBytes(3).toString("base64").replace("M=", "N="), /^is not standard base64/],
    ["quotes around it", `"${key}"`, /^is not standard base64/],
    ["a name before it", `ACCESS_KEY_ENCRYPTION=${key}`, /^is not standard base64/],
    ["two keys", `${key}\n${key}`, /^is not standard base64/],
    ["letters that are no base64", "ü".repeat(44), /^is not standard base64/],
  ])("%s", async (_, text, words) => {
    const answer = await parseSealingKey("ACCESS_KEY_ENCRYPTION", text);
    expect(answer).toMatch(words);
    for (let at = 0; at + 6 <= text.trim().length; at++) expect(answer).not.toContain(text.trim().slice(at, at + 6));
  });
});
