/** A job's log for people: each command, its output made inert, its exit code and how long it took. */
import type { LogRecord } from "../client/log-assembler.ts";
import type { LogEvent } from "../protocol/log-events.ts";
import { type Output, paint } from "./output.ts";
import { createOutputFilter, printable, printableJson } from "./terminal.ts";

export type LogStyle = "human" | "raw" | "json";

export interface LogPrinter {
  print(record: LogRecord): void;
  end(): void;
}

export function createLogPrinter(output: Output, style: LogStyle): LogPrinter {
  if (style === "json") return { print: (record) => output.raw(`${printableJson(record)}\n`), end: () => undefined };
  return style === "raw" ? rawPrinter(output) : humanPrinter(output);
}

/** Directives and output exactly as the job made them, so that they can be piped. */
function rawPrinter(output: Output): LogPrinter {
  return {
    print(record) {
      if (record.kind === "event") {
        // Any event may have output: masking holds some of it back until the next event (DESIGN section 10).
        output.raw(record.event.output ?? "");
        if (record.event.event === "cmd_started") output.raw(`${record.event.directive}\n`);
      } else if (record.kind !== "end") {
        output.note(aside(record));
      }
    },
    end: () => undefined,
  };
}

function humanPrinter(output: Output): LogPrinter {
  const filter = createOutputFilter(output);
  let midLine = false;
  let coloured = false;
  const text = (piece: string) => {
    if (piece === "") return;
    output.raw(piece);
    midLine = !piece.endsWith("\n");
    coloured ||= piece.includes("\u001b");
  };
  /** A line of our own: never on the job's, and never in its colours. */
  const line = (own: string) => {
    text(filter.end());
    if (coloured) output.raw("\u001b[0m");
    coloured = false;
    output.raw(`${midLine ? "\n" : ""}${own}\n`);
    midLine = false;
  };
  return {
    print(record) {
      if (record.kind !== "event") return line(paint(output.colour, "yellow", aside(record)));
      if (record.event.output) text(filter.push(record.event.output));
      if (record.event.event === "cmd_output") return;
      for (const own of describe(record.event, output.colour)) line(own);
    },
    end() {
      text(filter.end());
      if (midLine) output.raw("\n");
      midLine = false;
    },
  };
}

function aside(record: Exclude<LogRecord, { kind: "event" }>): string {
  if (record.kind === "notice") return `[signalbox] ${printable(record.text)}`;
  if (record.kind === "end") {
    const digest = record.sha256 === undefined ? "" : `, SHA-256 ${record.sha256}`;
    return `[signalbox] end of the log: ${record.position} events, job ${record.result}${digest}`;
  }
  return `[signalbox] events ${record.position} to ${record.until - 1} never arrived`;
}

function describe(event: Exclude<LogEvent, { event: "cmd_output" }>, colour: boolean): string[] {
  if (event.event === "job_started") return [];
  if (event.event === "job_finished") return [`job ${event.result}`];
  if (event.event === "cmd_started") {
    return printable(event.directive, { lines: true })
      .split("\n")
      .map((line, index) => paint(colour, "bold", `${index === 0 ? "$" : ">"} ${line}`));
  }
  const mark = `[exit ${event.exit_code}, ${duration(event.finished_at - event.started_at)}]`;
  return [paint(colour, event.exit_code === 0 ? "dim" : "red", mark)];
}

/** The protocol's times are whole seconds. */
function duration(seconds: number): string {
  if (seconds < 1) return "under 1 s";
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
