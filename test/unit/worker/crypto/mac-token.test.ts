import { createHmac, hkdfSync } from "node:crypto";
import { describe, expect, test } from "vitest";
import { parseHeldKeys } from "../../../../src/worker/crypto/keyring.ts";
import {
  type LogTokenClaims,
  type MacTokenClaims,
  signMacToken,
  verifyMacToken,
} from "../../../../src/worker/crypto/mac-token.ts";
import { fromBase64Url, toBase64Url } from "../../../../src/worker/lib/bytes.ts";
import type { EpochSeconds } from "../../../../src/worker/lib/time.ts";
import { idOf } from "../fixtures.ts";
import { flipped, keyBytes, keyText, sealingKeyOf } from "./sealing-keys.ts";

const key = await sealingKeyOf(1);
const held = await parseHeldKeys([["ACCESS_KEY_ENCRYPTION", keyText(1)]]);
const both = await parseHeldKeys([
  ["ACCESS_KEY_ENCRYPTION", keyText(2)],
  ["ACCESS_KEY_ENCRYPTION_2", keyText(1)],
]);
const expiresAt = 1_800_000_000 as EpochSeconds;
const at = (seconds: number) => seconds as EpochSeconds;
const now = at(expiresAt - 1);
const common = { jobId: idOf(0xabcdef), agentId: idOf(2), claimNumber: 3, expiresAt };
const claims: LogTokenClaims = { ...common, kind: "log", agentTypeId: idOf(0xfedcba) };
const asking: MacTokenClaims = { ...common, kind: "identity_request" };
const token = await signMacToken(key, claims);
const prefix = "sbx_mac_";
const raw = fromBase64Url(token.slice(prefix.length)) ?? new Uint8Array();

test("a genuine token gives back what it names, whichever slot holds its key", async () => {
  expect(await verifyMacToken(held, "log", token, now)).toEqual(claims);
  expect(await verifyMacToken(both, "log", token, now)).toEqual(claims);
});

test.each<Partial<MacTokenClaims>>([
  { agentTypeId: "ffffffff-ffff-ffff-ffff-ffffffffffff" },
  { claimNumber: 0 },
  { claimNumber: 255 },
  { jobId: "ffffffff-ffff-ffff-ffff-ffffffffffff", agentId: "00000000-0000-0000-0000-000000000000" },
  { expiresAt: at(2 ** 32 - 1) },
  { expiresAt: at(2 ** 32) },
  { expiresAt: at(2 ** 40 - 1) },
])("every value survives the wire: %j", async (changes) => {
  for (const kind of [claims, asking]) {
    const changed = { ...kind, ...changes } as MacTokenClaims;
    if (kind === asking && "agentTypeId" in changes) continue;
    expect(await verifyMacToken(held, changed.kind, await signMacToken(key, changed), at(1))).toEqual(changed);
  }
});

test("its layout is the documented one, byte for byte", () => {
  const macKey = Buffer.from(hkdfSync("sha256", keyBytes(1), Buffer.alloc(0), "signalbox/mac/v1", 32));
  const body = Buffer.concat([
    Buffer.of(3),
    key.id,
    Buffer.from(claims.jobId.replaceAll("-", ""), "hex"),
    Buffer.from(claims.agentId.replaceAll("-", ""), "hex"),
    Buffer.of(3, 0),
    Buffer.from(expiresAt.toString(16).padStart(8, "0"), "hex"),
    Buffer.from(claims.agentTypeId.replaceAll("-", ""), "hex"),
  ]);
  const tag = createHmac("sha256", macKey).update(body).digest();
  expect(token).toBe(prefix + Buffer.concat([body, tag]).toString("base64url"));
});

test("it lives until the second before its expiry, and not in that second", async () => {
  expect(await verifyMacToken(held, "log", token, at(expiresAt - 1))).not.toBeNull();
  expect(await verifyMacToken(held, "log", token, expiresAt)).toBeNull();
  expect(await verifyMacToken(held, "log", token, at(expiresAt + 1))).toBeNull();
});

describe("a forged token is nothing", () => {
  const refused = async (text: string, kind: MacTokenClaims["kind"] = "log") =>
    expect(await verifyMacToken(both, kind, text, now)).toBeNull();

  test("with any bit turned over", async () => {
    for (let bit = 0; bit < raw.length * 8; bit++) await refused(prefix + toBase64Url(flipped(raw, bit)));
  });

  test("with any letter of its text changed", async () => {
    for (let place = 0; place < token.length; place++) {
      await refused(token.slice(0, place) + (token[place] === "A" ? "B" : "A") + token.slice(place + 1));
    }
  });

  test("cut anywhere, or longer", async () => {
    for (let length = 0; length < token.length; length++) await refused(token.slice(0, length));
    for (const tail of ["A", "=", " ", "\n", "AAAA", token]) await refused(token + tail);
    await refused(` ${token}`);
  });

  test("of the other kind, in both directions", async () => {
    await refused(token, "identity_request");
    await refused(await signMacToken(key, asking), "log");
  });

  test("relabelled as the other kind", async () => {
    const other = Uint8Array.from(raw);
    other[0] = 2;
    await refused(prefix + toBase64Url(other), "identity_request");
  });

  test("of before log tokens named an agent type: what it may not do could not be known", async () => {
    const macKey = Buffer.from(hkdfSync("sha256", keyBytes(1), Buffer.alloc(0), "signalbox/mac/v1", 32));
    const body = Buffer.concat([Buffer.of(1), raw.slice(1, raw.length - 16 - 32)]);
    const old = Buffer.concat([body, createHmac("sha256", macKey).update(body).digest()]);
    await refused(prefix + old.toString("base64url"));
  });

  test("signed under a key that is not held, or relabelled to one that is", async () => {
    const stranger = await sealingKeyOf(3);
    await refused(await signMacToken(stranger, claims));
    await refused(await signMacToken({ ...stranger, id: key.id, idHex: key.idHex }, claims));
    const relabelled = Uint8Array.from(raw);
    relabelled.set((await sealingKeyOf(2)).id, 1);
    await refused(prefix + toBase64Url(relabelled));
  });

  test("where no key is held at all", async () => {
    expect(await verifyMacToken({ keys: [], problems: [] }, "log", token, now)).toBeNull();
  });
});
