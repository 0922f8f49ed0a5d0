/**
 * The five log events as lines, with their keys in the order that AGENT-PROTOCOL section 5.1 fixes. Servers may
 * compare bytes, so nothing else in the agent may serialise an event.
 */

import type { JobResult } from "../protocol/jobs.ts";
import type { LogEvent } from "../protocol/log-events.ts";

export function jobStarted(timestamp: number): string {
  return line({ event: "job_started", timestamp });
}

export function commandStarted(timestamp: number, directive: string): string {
  return line({ event: "cmd_started", timestamp, directive: directive.toWellFormed() });
}

export function commandOutput(timestamp: number, output: string): string {
  return line({ event: "cmd_output", timestamp, output });
}

export function commandFinished(
  timestamp: number,
  command: { directive: string; exitCode: number; startedAt: number },
): string {
  return line({
    event: "cmd_finished",
    timestamp,
    directive: command.directive.toWellFormed(),
    exit_code: command.exitCode,
    started_at: command.startedAt,
    finished_at: timestamp,
  });
}

export function jobFinished(timestamp: number, result: JobResult): string {
  return line({ event: "job_finished", timestamp, result });
}

function line(event: LogEvent): string {
  return `${JSON.stringify(event)}\n`;
}
