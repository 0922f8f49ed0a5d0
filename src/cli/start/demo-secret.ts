/** The value of the demo's secret: the user's, or one of this data folder's own. It is stored nowhere in clear. */
import { createHmac, hkdfSync } from "node:crypto";
import { Failure } from "../exit.ts";

/** Shorter values are found in too much that is no secret. */
const bytesLeast = 8;

/**
 * SIGNALBOX_DEMO_SECRET, else a random one. Later starts must know it again to look for it in the log, so the
 * random one is derived from the folder's random sealing key instead of being kept.
 */
export function demoSecret(given: string | undefined, sealingKey: string): string {
  if (!given) {
    const derived = hkdfSync("sha256", Buffer.from(sealingKey, "base64"), "", "signalbox/demo-secret", 24);
    return Buffer.from(derived).toString("base64url");
  }
  if (Buffer.byteLength(given) < bytesLeast) {
    throw new Failure(`SIGNALBOX_DEMO_SECRET must have at least ${bytesLeast} bytes: shorter values are not masked`);
  }
  return given;
}

/** Tells on a later start whether it changed, and tells nobody without the sealing key what it is. */
export function secretFingerprint(secret: string, sealingKey: string): string {
  return createHmac("sha256", Buffer.from(sealingKey, "base64")).update(`demo-secret\0${secret}`).digest("hex");
}
