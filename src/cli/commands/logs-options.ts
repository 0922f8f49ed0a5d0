/** The options of `signalbox logs` itself. */
import type { Command } from "commander";
import { UsageError } from "../exit.ts";

export interface LogsOptions {
  follow?: boolean;
  from?: number;
  since?: number;
  line?: number;
  raw?: boolean;
  exitStatus?: boolean;
}

/** What was given of them beside a subcommand, which takes only these. @throws UsageError */
export function optionsOfLogs(logs: Command, taken: readonly (keyof LogsOptions)[]): LogsOptions {
  const given = logs.opts<LogsOptions>();
  const other = logs.options.find((option) => {
    const name = option.attributeName() as keyof LogsOptions;
    return given[name] !== undefined && !taken.includes(name);
  });
  if (other !== undefined) throw new UsageError(`${other.long} is for logs alone, without search or download`);
  return given;
}
