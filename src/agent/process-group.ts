/**
 * Ends a whole process group: politely, then for certain. Must never signal a group after it was seen empty, since
 * its number may by then belong to somebody else.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import type { Clock } from "./clock.ts";
import { markVariable } from "./job-mark.ts";

const pollMs = 20;
/** After SIGKILL only a process stuck in the kernel is left: not worth more. */
const afterKillMs = 500;

/** Whether the group still had a member to signal. */
export function signalGroup(group: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch (failure) {
    // EPERM: members remain, but run as somebody else.
    return failure instanceof Error && "code" in failure && failure.code === "EPERM";
  }
}

/** SIGTERM, up to `graceMs` for the group to empty, SIGKILL. */
export async function endGroup(group: number, graceMs: number, clock: Clock): Promise<void> {
  if (!signalGroup(group, "SIGTERM")) return;
  if (await emptied(group, graceMs, clock)) return;
  if (!signalGroup(group, "SIGKILL")) return;
  await emptied(group, afterKillMs, clock);
}

async function emptied(group: number, withinMs: number, clock: Clock): Promise<boolean> {
  const end = clock.monotonic() + withinMs;
  while (signalGroup(group, 0) && hasLiveMember(group)) {
    if (clock.monotonic() >= end) return false;
    await clock.sleep(pollMs);
  }
  return true;
}

/**
 * Orphans that ended stay as zombies until init reaps them, in many containers for ever, and can still be "signalled".
 * Where there is no /proc to ask, whoever can be signalled counts as alive.
 */
function hasLiveMember(group: number): boolean {
  if (process.platform !== "linux") return true;
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    // "pid (name) state ppid pgrp …"; the name may hold anything, parentheses too.
    const stat = readStat(name);
    const [state = "", , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(pgrp) === group && !"ZX".includes(state);
  });
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return "";
  }
}

/**
 * Waits for the end of a pipe, then kills the group and, where there is a /proc, whoever carries the mark, whose
 * processes may have left the group (job-mark.ts).
 */
const guardScript = `read -r _
kill -KILL "-$1"
for environ in /proc/[0-9]*/environ; do
  grep -q -F "${markVariable}=$3" "$environ" || continue
  pid=\${environ#/proc/}
  kill -KILL "\${pid%/environ}"
done
rm -rf -- "$2"`;

/**
 * A process that outlives the agent by a moment: it waits on a pipe that only the agent holds, so even when the
 * agent is killed outright the job dies and its directory, with the secrets in it, is removed.
 * @returns ends the guard, to be called as soon as the group is dead.
 */
export function guardGroup(group: number, directory: string, mark: string): () => void {
  const guard: ChildProcess = spawn("/bin/sh", ["-c", guardScript, "signalbox-guard", String(group), directory, mark], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/",
    env: { PATH: process.env.PATH ?? "/usr/bin:/bin" },
  });
  guard.on("error", () => {});
  guard.stdin?.on("error", () => {});
  return () => guard.kill("SIGKILL");
}
