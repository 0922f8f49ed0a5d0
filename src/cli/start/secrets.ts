/**
 * The local server's secrets: made once, then only read. Whether they are usable is the Worker's to say, which names
 * the bad one in its health. A damaged file is never replaced: with another sealing key everything sealed before could
 * not be opened any more.
 */
import { randomBytes } from "node:crypto";
import { chmod } from "node:fs/promises";
import { parseEnv } from "node:util";
import { newSealingKey, newSigningKey } from "../commands/keygen.ts";
import { readIfThere, writePrivate } from "./data-folder.ts";

export type Secrets = Readonly<Record<string, string>>;

const header = `# Local secrets of Signalbox, made by \`npm start\`. Whoever reads this file can open every sealed key.
# Without ACCESS_KEY_ENCRYPTION what was sealed under it is lost.
`;

export async function loadSecrets(path: string): Promise<{ secrets: Secrets; made: boolean }> {
  const text = await readIfThere(path);
  if (text === undefined) return { secrets: await makeSecrets(path), made: true };
  await chmod(path, 0o600);
  return { secrets: parseSecrets(text), made: false };
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
