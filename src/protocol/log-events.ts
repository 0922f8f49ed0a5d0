/**
 * The five log events of the Semaphore agent, one JSON object a line (AGENT-PROTOCOL section 5.1).
 * Timestamps are whole Unix seconds. An event's position is its index in the job's log, from 0.
 *
 * A stored event that is no cmd_output may have the field `output` as well: output from before the event, which
 * masking held back until it came. Agents do not send it; whoever shows a log shows it, ahead of the event.
 */
import * as z from "zod";

const timestamp = z.int();
const heldBack = z.string().optional();

const JobStartedEvent = z.object({ event: z.literal("job_started"), timestamp, output: heldBack });
const CmdStartedEvent = z.object({
  event: z.literal("cmd_started"),
  timestamp,
  directive: z.string(),
  output: heldBack,
});
export const CmdOutputEvent = z.object({ event: z.literal("cmd_output"), timestamp, output: z.string() });
const CmdFinishedEvent = z.object({
  event: z.literal("cmd_finished"),
  timestamp,
  directive: z.string(),
  exit_code: z.int(),
  started_at: z.int(),
  finished_at: z.int(),
  output: heldBack,
});
const JobFinishedEvent = z.object({
  event: z.literal("job_finished"),
  timestamp,
  result: z.enum(["passed", "failed", "stopped"]),
  output: heldBack,
});

export const LogEvent = z.discriminatedUnion("event", [
  JobStartedEvent,
  CmdStartedEvent,
  CmdOutputEvent,
  CmdFinishedEvent,
  JobFinishedEvent,
]);
export type LogEvent = z.infer<typeof LogEvent>;

/** GET /api/v1/logs/{job_id}?token=N: events from position N; `next` is null once the log is final. */
export const LogPage = z.object({ events: z.array(LogEvent), next: z.int().nullable() });
export type LogPage = z.infer<typeof LogPage>;

/** GET /api/v1/logs/{job_id}/event?at=N: the event at position N. */
export const LogEventAt = z.object({ position: z.int(), event: LogEvent });
export type LogEventAt = z.infer<typeof LogEventAt>;
