/**
 * The local server's secrets: made once, then only checked. A damaged file is never replaced: with another
 * sealing key everything sealed before could not be opened any more.
 */
import { createPrivateKey, type JsonWebKey, randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { parseEnv } from "node:util";
import * as z from "zod";
import { parseJson } from "../../client/errors.ts";
import { newSealingKey, newSigningKey } from "../commands/keygen.ts";
import { Failure } from "../exit.ts";
import { readIfThere, writePrivate } from "./data-folder.ts";

export type Secrets = Readonly<Record<string, string>>;

const header = `# Local secrets of Signalbox, made by \`npm start\`. Whoever reads this file can open every sealed key.
# Without ACCESS_KEY_ENCRYPTION what was sealed under it is lost.
`;

export async function loadSecrets(path: string): Promise<{ secrets: Secrets; made: boolean }> {
  const text = await readIfThere(path);
  if (text === undefined) return { secrets: await makeSecrets(path), made: true };
  await chmod(path, 0o600);
  return { secrets: checkSecrets(parseSecrets(text), path), made: false };
}

export function parseSecrets(text: string): Secrets {
  const secrets: Record<string, string> = {};
  for (const [name, value] of Object.entries(parseEnv(text))) if (value !== undefined) secrets[name] = value;
  return secrets;
}

async function makeSecrets(path: string): Promise<Secrets> {
  const secrets = {
    ACCESS_KEY_ENCRYPTION: newSealingKey(),
    SIGNING_KEY_1: await newSigningKey(2048, Math.floor(Date.now() / 1000)),
    BOOTSTRAP_TOKEN: randomBytes(32).toString("base64url"),
  };
  // Neither JSON of a key nor base64 holds a single quote.
  const lines = Object.entries(secrets).map(([name, value]) => `${name}='${value}'\n`);
  await writePrivate(path, header + lines.join(""));
  return secrets;
}

/** The secrets, or one sentence that names the first that is wrong, and never quotes it. */
export function checkSecrets(secrets: Secrets, path: string): Secrets {
  const problem =
    sealingProblem(secrets, "ACCESS_KEY_ENCRYPTION", true) ??
    sealingProblem(secrets, "ACCESS_KEY_ENCRYPTION_2", false) ??
    signingProblem(secrets, "SIGNING_KEY_1", true) ??
    signingProblem(secrets, "SIGNING_KEY_2", false) ??
    (secrets.BOOTSTRAP_TOKEN?.trim() ? null : "BOOTSTRAP_TOKEN is missing");
  if (problem) throw new Failure(`${path}: ${problem}`);
  return secrets;
}

function sealingProblem(secrets: Secrets, name: string, required: boolean): string | null {
  const text = secrets[name]?.trim() ?? "";
  if (text === "") return required ? `${name} is missing: it must be base64 of 32 bytes` : null;
  if (!z.base64().safeParse(text).success) return `${name} is not base64: it must be base64 of 32 bytes`;
  const { length } = Buffer.from(text, "base64");
  return length === 32 ? null : `${name} is base64 of ${length} bytes: it must be of 32`;
}

const member = z.string().regex(/^[A-Za-z0-9_-]+$/);
const SigningJwk = z.looseObject({
  kty: z.literal("RSA"),
  n: member,
  e: member,
  d: member,
  p: member,
  q: member,
  dp: member,
  dq: member,
  qi: member,
  activates_at: z.int().min(0),
});

function signingProblem(secrets: Secrets, name: string, required: boolean): string | null {
  const text = secrets[name]?.trim() ?? "";
  const wanted = "it must be a private RSA JWK with activates_at, as `signalbox keygen signing` prints it";
  if (text === "") return required ? `${name} is missing: ${wanted}` : null;
  const jwk = SigningJwk.safeParse(parseJson(text));
  if (!jwk.success) return `${name} is malformed: ${wanted}`;
  return isUsable(jwk.data) ? null : `${name} holds no usable key of at least 2048 bits: ${wanted}`;
}

function isUsable(jwk: JsonWebKey): boolean {
  try {
    const key = createPrivateKey({ key: jwk, format: "jwk" });
    return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2048;
  } catch {
    return false;
  }
}
