/** A throw-away SSH key, whose private half is nowhere once it is sealed. */
import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { messageOf } from "../context.ts";
import { Failure } from "../exit.ts";

export interface SshKey {
  privateKey: string;
  /** `ssh-ed25519 AAAA…`, without the comment. */
  publicKey: string;
}

const run = promisify(execFile);

/** Before anything is made: the demo's key, and the first job, need it. @throws Failure where it is missing. */
export function requireSshKeygen(path: string): void {
  if (path.split(delimiter).some((folder) => folder !== "" && isExecutable(join(folder, "ssh-keygen")))) return;
  throw new Failure("ssh-keygen is missing: install openssh-client");
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export async function newSshKey(): Promise<SshKey> {
  // mkdtemp makes it 0700.
  const folder = await mkdtemp(join(tmpdir(), "signalbox-key-"));
  try {
    const file = join(folder, "key");
    await run("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "signalbox demo", "-f", file]);
    const publicKey = (await readFile(`${file}.pub`, "utf8")).split(" ").slice(0, 2).join(" ").trim();
    return { privateKey: await readFile(file, "utf8"), publicKey };
  } catch (error) {
    throw new Failure(`ssh-keygen could not make the demo's key: ${messageOf(error)}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
