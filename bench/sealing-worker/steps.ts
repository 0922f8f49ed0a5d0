/** Sealing as the Worker does it, its parts, and the least that could take its place. */
import { equalDigests } from "../../src/worker/crypto/digests.ts";
import { open, type SealContext, seal } from "../../src/worker/crypto/sealing.ts";
import type { SealingKey } from "../../src/worker/crypto/sealing-key.ts";
import { concat, lengthPrefixed, systemRandom, utf8 } from "../../src/worker/lib/bytes.ts";

export type Step = () => Promise<unknown> | unknown;

const context: SealContext = {
  purpose: "access_key",
  projectId: "01934f5c-0000-7000-8000-000000000002",
  recordId: "01934f5c-0000-7000-8000-000000000005",
  secretVersion: 1,
  type: "ssh",
};
const info = utf8("signalbox/seal/v1");
const plaintextBytes = 4096;
const headerBytes = 85;

/** Each does what one seal and one open do of it together. */
export async function stepsOf(key: SealingKey): Promise<Record<string, Step>> {
  const plaintext = systemRandom(plaintextBytes);
  const record = await seal(key, plaintext, context, systemRandom);
  const twice = (step: () => unknown) => () => [step(), step()];
  const part = (from: number, to: number) => record.subarray(from, to);
  const [id, commitment] = [part(1, 9), part(41, 73)];
  return {
    sealAndOpen: async () => open(key, await seal(key, plaintext, context, systemRandom), context),
    ...(await bareSteps(plaintext)),
    derivation: twice(() => key.derive(info, part(9, 41), 64)),
    commitment: () => [equalDigests(id, key.id), equalDigests(commitment, commitment)],
    associatedData: twice(() =>
      lengthPrefixed(context.purpose, context.projectId, context.recordId, String(context.secretVersion), context.type),
    ),
    encoding() {
      const [salt, iv] = [systemRandom(32), systemRandom(12)];
      concat(Uint8Array.of(1), key.id, salt, part(41, 73), iv, record.subarray(headerBytes));
      return [part(1, 9), part(9, 41), part(41, 73), part(73, headerBytes), part(headerBytes, record.length)];
    },
  };
}

/** AES-GCM without associated data, by a key that is imported for every operation; and each half of that. */
async function bareSteps(plaintext: Uint8Array<ArrayBuffer>): Promise<Record<string, Step>> {
  const raw = systemRandom(32);
  const imported = () => crypto.subtle.importKey("raw", raw, "AES-GCM", false, ["encrypt", "decrypt"]);
  const kept = await imported();
  const run = async (keyOf: () => Promise<CryptoKey> | CryptoKey) => {
    const algorithm = { name: "AES-GCM", iv: systemRandom(12) };
    const sealed = await crypto.subtle.encrypt(algorithm, await keyOf(), plaintext);
    return crypto.subtle.decrypt(algorithm, await keyOf(), sealed);
  };
  return {
    bare: () => run(imported),
    cipher: () => run(() => kept),
    keyImport: async () => [await imported(), await imported()],
  };
}
