/** Looks for secrets in clear in every file of a folder, as a thief with a backup would. */
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/**
 * Paths of the files that hold one of the texts. `except` is never opened: closing a file that this process has
 * locked would give up the lock (POSIX fcntl).
 */
export async function filesHolding(folder: string, texts: readonly string[], except?: string): Promise<string[]> {
  const needles = texts.filter((text) => text !== "").map((text) => Buffer.from(text));
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const found: string[] = [];
  for (const file of files) if (file !== except && (await holdsAny(file, needles))) found.push(file);
  return found;
}

async function holdsAny(file: string, needles: readonly Buffer[]): Promise<boolean> {
  const overlap = Math.max(0, ...needles.map((needle) => needle.length)) - 1;
  let rest = Buffer.alloc(0);
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1024 * 1024 })) {
      const window = Buffer.concat([rest, Buffer.from(chunk)]);
      if (needles.some((needle) => window.includes(needle))) return true;
      rest = window.subarray(Math.max(0, window.length - overlap));
    }
  } catch (error) {
    // A running database's journal may be gone by now, and then it holds nothing.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return false;
    throw error;
  }
  return false;
}
