/**
 * The directory that one job lives in, and the files that it is given. Everything is made readable by the agent's
 * user alone before a byte is in it, and is removed at the job's end, whatever that end is: files hold keys.
 */
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { chmod, mkdir, mkdtemp, open, readdir, rename, rm } from "node:fs/promises";
import { dirname, isAbsolute, join, resolve } from "node:path";
import type { JobFile } from "./job-request.ts";
import { onAbandon } from "./live-jobs.ts";

export class JobDirectory {
  /** Holds the home and the pipes; only the agent's user may enter. */
  readonly root: string;
  readonly home: string;
  readonly #outside = new Set<string>();
  readonly #takeBack: () => void;

  static async create(workDir: string): Promise<JobDirectory> {
    await mkdir(workDir, { recursive: true, mode: 0o700 });
    const root = await mkdtemp(join(resolve(workDir), "job-"));
    await mkdir(join(root, "home"), { mode: 0o700 });
    return new JobDirectory(root);
  }

  private constructor(root: string) {
    this.root = root;
    this.home = join(root, "home");
    this.#takeBack = onAbandon(() => {
      for (const path of [...this.#outside, this.root]) rmSync(path, { recursive: true, force: true });
    });
  }

  /** Where a path of the request leads: absolute as it is, else (`~/…` or relative) into the home. */
  locate(path: string): string {
    if (isAbsolute(path)) return path;
    return join(this.home, path.startsWith("~/") ? path.slice(2) : path);
  }

  /**
   * Written under another name and moved into place, so that whoever watches the path sees no half file, none with a
   * wider mode than asked for, and a symbolic link lying there is replaced, not followed.
   */
  async write(file: JobFile): Promise<void> {
    const path = this.locate(file.path);
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const unfinished = join(dirname(path), `.signalbox-${randomBytes(8).toString("hex")}`);
    const handle = await open(unfinished, "wx", 0o600);
    try {
      await handle.writeFile(file.content);
      await handle.chmod(file.mode);
    } finally {
      await handle.close();
    }
    try {
      await rename(unfinished, path);
    } catch (failure) {
      await rm(unfinished, { force: true });
      throw failure;
    }
    if (isAbsolute(file.path)) this.#outside.add(path);
  }

  /** @returns what could not be removed, and why; empty as a rule. */
  async remove(): Promise<string[]> {
    const failures: string[] = [];
    for (const path of this.#outside) await rm(path, { force: true }).catch(noteIn(failures));
    await removeTree(this.root).catch(noteIn(failures));
    this.#takeBack();
    return failures;
  }
}

async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    // Tools leave directories that may not be written (Go's module cache is one): permit, then try once more.
    await permit(path);
    await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

/** Never follows a symbolic link: `isDirectory` of an entry is false for one. */
async function permit(directory: string): Promise<void> {
  await chmod(directory, 0o700).catch(() => {});
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) if (entry.isDirectory()) await permit(join(directory, entry.name));
}

function noteIn(failures: string[]): (failure: unknown) => void {
  return (failure) => void failures.push(failure instanceof Error ? failure.message : String(failure));
}
