/** The data folder of a local server: where everything lies, private to its user, and in use by one start only. */
import { access, chmod, constants, mkdir, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { baseUrlFile, messageOf, ownerTokenFile } from "../context.ts";
import { Failure } from "../exit.ts";
import { lockFolder } from "./lock.ts";

export interface DataFolder {
  readonly path: string;
  /** Never to be opened: see lock.ts. */
  readonly lock: string;
  readonly secrets: string;
  readonly ownerToken: string;
  readonly baseUrl: string;
  /** What the demo must remember: nothing secret. */
  readonly demo: string;
  readonly registrationToken: string;
  readonly workerLog: string;
  readonly agentLog: string;
  release(): void;
}

export async function openDataFolder(path: string): Promise<DataFolder> {
  try {
    await makeFolder(path);
    await mustBeOurs(path);
    await chmod(path, 0o700);
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
    // Access rights are not all: a read-only or full file system shows only when something is written.
    await writePrivate(join(path, ".writable"), "");
    await rm(join(path, ".writable"));
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw new Failure(`the data folder ${path} cannot be written: ${messageOf(error)}`);
  }
  const lockFile = join(path, "lock");
  const { release } = lockFolder(lockFile, path);
  return {
    path,
    lock: lockFile,
    secrets: join(path, "secrets.env"),
    ownerToken: join(path, ownerTokenFile),
    baseUrl: join(path, baseUrlFile),
    demo: join(path, "demo.json"),
    registrationToken: join(path, "registration-token"),
    workerLog: join(path, "worker.log"),
    agentLog: join(path, "agent.log"),
    release,
  };
}

/** A folder with other things in it (`--data .`, `--data /tmp`) must not be closed to everybody else. */
async function mustBeOurs(path: string): Promise<void> {
  const names = await readdir(path);
  if (names.length === 0 || names.includes("lock") || names.includes("secrets.env")) return;
  throw new Failure(`the folder ${path} holds other things: give --data an empty or a new folder`);
}

/** Not mkdir's own `recursive`: it never ends where a file system has no place for folders, as /proc. */
async function makeFolder(path: string): Promise<void> {
  const make = () => mkdir(path, { mode: 0o700 });
  try {
    await make();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "EEXIST") return;
    if (code !== "ENOENT" || dirname(path) === path) throw error;
    await makeFolder(dirname(path));
    await make();
  }
}

/** Readable by its owner alone from the first byte on, and never half-written. */
export async function writePrivate(path: string, text: string): Promise<void> {
  const fresh = `${path}.new`;
  await rm(fresh, { force: true });
  const file = await open(fresh, "wx", 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(fresh, path);
}

export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new Failure(`cannot read ${path}: ${messageOf(error)}`);
  }
}
