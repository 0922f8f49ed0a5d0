/**
 * Finds the processes of a job that left its process group (`setsid`, a daemon): every process of a job inherits a
 * variable with a value drawn for that job alone, and Linux shows in /proc with which environment a process was
 * started. On other systems nothing is found.
 *
 * It is a net for what jobs leave behind by habit, no jail: a hostile process can start another with an empty
 * environment, or as another user, and is then not found. Against those only a machine of its own for each job helps.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import type { Clock } from "./clock.ts";

/** Holds the job's mark in the environment of everything that the job starts. */
export const markVariable = "SIGNALBOX_JOB_MARK";

const pollMs = 20;
/** A process that forks while we look is found on the next look. */
const looksMost = 50;

/** Kills until a look finds nobody. @returns how many would not die. */
export async function endMarked(mark: string, clock: Clock): Promise<number> {
  let left = killMarked(mark);
  for (let look = 1; left > 0 && look < looksMost; look++) {
    await clock.sleep(pollMs);
    left = killMarked(mark);
  }
  return left;
}

/** Kills all that one look finds, without waiting. @returns how many there were. */
export function killMarked(mark: string): number {
  const found = markedProcesses(mark);
  for (const pid of found) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // Gone already.
    }
  }
  return found.length;
}

/** Processes of our own user, none of them a zombie: a zombie has no environment any more. */
function markedProcesses(mark: string): number[] {
  if (process.platform !== "linux") return [];
  const wanted = `\0${markVariable}=${mark}\0`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && isOurs(name) && environmentOf(name).includes(wanted))
    .map(Number);
}

function isOurs(pid: string): boolean {
  try {
    return statSync(`/proc/${pid}`).uid === process.getuid?.();
  } catch {
    return false;
  }
}

/** Every variable between two NULs. */
function environmentOf(pid: string): string {
  try {
    return `\0${readFileSync(`/proc/${pid}/environ`, "latin1")}\0`;
  } catch {
    return "";
  }
}
