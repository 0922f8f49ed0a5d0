/** How the command ends: its exit codes, and the errors that stand for them. */
import { AgentRefused, AgentUnreachable } from "../agent/errors.ts";
import { ApiProblem, FollowRefused, UnexpectedAnswer, Unreachable } from "../client/errors.ts";
import { printable } from "./terminal.ts";

export const exitCodes = { ok: 0, failed: 1, usage: 2, unreachable: 3, interrupted: 130 } as const;

export const exitCodeHelp = `Exit codes:
  0    done
  1    refused or failed; with --exit-status: the job did not pass
  2    the command line, or a file that it names, is wrong
  3    the server cannot be reached
  130  stopped by Ctrl-C`;

/** What the caller asked for cannot be done as asked: a wrong option, a file that cannot be read. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** It was understood and tried, and failed, for a reason that the user can act on. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** The signal of Ctrl-C and its like. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof Interrupted) return exitCodes.interrupted;
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof Unreachable || error instanceof AgentUnreachable) return exitCodes.unreachable;
  return exitCodes.failed;
}

/** The lines that tell a person what went wrong. Nothing that a server sent reaches the terminal unfiltered. */
export function describeError(error: unknown): string {
  if (error instanceof ApiProblem) return describeProblem(error);
  if (error instanceof Unreachable) return printable(error.message + (isRefusedConnection(error) ? startHint : ""));
  const known = [UsageError, Failure, Interrupted, UnexpectedAnswer, FollowRefused, AgentRefused, AgentUnreachable];
  if (known.some((type) => error instanceof type)) return printable((error as Error).message, { lines: true });
  return printable(error instanceof Error ? (error.stack ?? error.message) : String(error), { lines: true });
}

const startHint = "; is it running? npm start, or set --url";

/** Nothing listens there: the code stands somewhere down the chain of causes. */
function isRefusedConnection(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ("code" in error && error.code === "ECONNREFUSED") || isRefusedConnection(error.cause);
}

function describeProblem(problem: ApiProblem): string {
  const lines = [`${problem.detail}${problem.code ? ` (${problem.status} ${problem.code})` : ""}`];
  const fields = problem.errors.map(({ pointer, detail }) => `${pointer || "/"}: ${detail}`);
  // A single one may be the detail itself.
  for (const field of fields) if (field !== problem.detail) lines.push(`  ${field}`);
  if (problem.status >= 500 && problem.requestId) lines.push(`  request ${problem.requestId}`);
  return lines.map((line) => printable(line)).join("\n");
}
