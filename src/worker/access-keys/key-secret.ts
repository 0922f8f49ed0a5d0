/** The secret of an access key, sealed to its row and opened from it. */
import { type AccessKey, Secret } from "../../protocol/access-keys.ts";
import type { Sealer } from "../crypto/sealer.ts";
import { type SealContext, unreadable } from "../crypto/sealing.ts";
import { type Bytes, fromUtf8, utf8 } from "../lib/bytes.ts";
import { invalidField } from "../lib/fault.ts";
import type { SealedKey } from "./access-keys-store.ts";
import { describePrivateKey } from "./private-key.ts";

/** Of type none, and of it alone, nothing is sealed. @throws Fault `sealed_unreadable` where the row was altered */
export function wholeKey(stored: SealedKey): SealedKey {
  if ((stored.key.type === "none") !== (stored.sealed === null)) throw unreadable();
  return stored;
}

/** The secret of a stored key. @throws Fault `sealed_unreadable` where the record is not the row's own. */
export async function openKey(sealer: Sealer, stored: SealedKey): Promise<Secret> {
  const { key, sealed } = wholeKey(stored);
  if (sealed === null) return { type: "none" };
  const secret = Secret.parse(JSON.parse(fromUtf8(await sealer.open(sealed, contextOf(key)))));
  // The type is bound by the associated data; this binds what is inside to it as well.
  if (secret.type !== key.type) throw unreadable();
  return secret;
}

/** Bytes of everything in a secret that is handed over. */
export function secretBytes(secret: Secret): number {
  const { type: _, ...parts } = secret;
  return Object.values(parts).reduce((total, part) => total + utf8(part).length, 0);
}

/**
 * What may be shown of a secret. A private key is parsed here, so that one which no ssh could use is never stored.
 * @throws Fault `invalid_request` that names the part and the reason.
 */
export async function describeSecret(
  secret: Secret,
): Promise<Pick<AccessKey, "public_key" | "fingerprint" | "comment">> {
  if (secret.type !== "ssh") return { public_key: null, fingerprint: null, comment: null };
  const described = await describePrivateKey(secret.private_key, secret.passphrase);
  if ("reason" in described) throw invalidField(`/secret/${described.field}`, described.reason);
  return { public_key: described.publicKey, fingerprint: described.fingerprint, comment: described.comment };
}

export async function sealSecret(sealer: Sealer, key: AccessKey, secret: Secret): Promise<Bytes | null> {
  if (secret.type === "none") return null;
  return sealer.seal(utf8(JSON.stringify(secret)), contextOf(key));
}

function contextOf(key: AccessKey): SealContext {
  return {
    purpose: "access_key",
    projectId: key.project_id ?? "",
    recordId: key.id,
    secretVersion: key.secret_version,
    type: key.type,
  };
}
