/** Judges the first job by what was really seen: the log's records as they came over the socket. */
import type { LogRecord } from "../../client/log-assembler.ts";
import { demoCommands } from "./demo-job.ts";

export interface Evidence {
  jobId: string;
  records: readonly LogRecord[];
  /** Whether the socket stood before the job began. */
  followedFromStart: boolean;
  secret: string;
  publicKey: string;
  /** The server's own record that this job was handed each of its keys. */
  keysHandedOver: boolean;
  /** Files of the data folder that hold a secret in clear. */
  leaks: readonly string[];
}

export interface Check {
  label: string;
  done: boolean;
}

interface Ran {
  output: string;
  exitCode: number | null;
}

export function summarize(evidence: Evidence): Check[] {
  const ran = (directive: string) => outcomeOf(evidence.records, directive);
  const passed = (directive: string, text: string) => {
    const { output, exitCode } = ran(directive);
    return exitCode === 0 && text !== "" && output.includes(text);
  };
  const sshUsed = passed(demoCommands.sshKey, evidence.publicKey);
  return [
    { label: "access keys sealed and handed over", done: evidence.keysHandedOver && evidence.leaks.length === 0 },
    { label: "identity token's claims shown", done: passed(demoCommands.claims, evidence.jobId) },
    { label: "identity token verified by an independent library", done: passed(demoCommands.verified, "verified by ") },
    { label: "altered token refused", done: passed(demoCommands.altered, "refused, as it must be") },
    { label: "unsealed SSH key used", done: sshUsed },
    {
      label: "printed secret masked",
      done: passed(demoCommands.secret, "***") && !holds(evidence.records, evidence.secret),
    },
    { label: "log followed live to its end", done: evidence.followedFromStart && isWhole(evidence.records) },
  ];
}

/** What a command printed, and how it ended; the last one of that text. */
function outcomeOf(records: readonly LogRecord[], directive: string): Ran {
  let found: Ran = { output: "", exitCode: null };
  let inside = false;
  for (const record of records) {
    if (record.kind !== "event") continue;
    const { event } = record;
    if (inside) found.output += event.output ?? "";
    if (event.event === "cmd_started") {
      inside = event.directive === directive;
      if (inside) found = { output: "", exitCode: null };
    } else if (inside && event.event === "cmd_finished") {
      found.exitCode = event.exit_code;
      inside = false;
    }
  }
  return found;
}

/** Looks at every text of the log, and at the outputs joined: a value may be cut over two events. */
function holds(records: readonly LogRecord[], secret: string): boolean {
  const outputs = records.map((record) => (record.kind === "event" ? (record.event.output ?? "") : ""));
  const escaped = JSON.stringify(secret).slice(1, -1);
  return outputs.join("").includes(secret) || records.some((record) => JSON.stringify(record).includes(escaped));
}

/** Every position once, from the first to the end record. */
function isWhole(records: readonly LogRecord[]): boolean {
  let next = 0;
  for (const record of records) {
    if (record.kind === "gap") return false;
    if (record.kind === "event" && record.position !== next++) return false;
  }
  const last = records.at(-1);
  return last?.kind === "end" && last.position === next && next > 0;
}
