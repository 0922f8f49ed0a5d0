#!/usr/bin/env node
/** The `signalbox` command: reads the command line, runs one command, and ends with its exit code. */
import { CommanderError } from "commander";
import type { Cli } from "./context.ts";
import { describeError, exitCodeOf, exitCodes, Interrupted } from "./exit.ts";
import { createOutput } from "./output.ts";
import { createProgram } from "./program.ts";
import { readAll } from "./stdin.ts";

const interruption = new AbortController();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => interruption.abort(new Interrupted(`stopped by ${signal}`)));
}
// A pipe's reader that went away (`| head`) is no failure of ours, nor is a closed terminal.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", () => interruption.abort(new Interrupted("nobody reads the output any more")));
}

process.exitCode = await run(process.argv);

async function run(argv: readonly string[]): Promise<number> {
  const output = createOutput(process.stdout, process.stderr, process.env);
  let exitCode: number = exitCodes.ok;
  const cli: Cli = {
    output,
    env: process.env,
    signal: interruption.signal,
    globals: () => program.opts(),
    readStdin: () => readAll(process.stdin, interruption.signal),
    setExitCode: (code) => {
      exitCode = code;
    },
  };
  const program = createProgram(cli);
  try {
    await program.parseAsync(argv);
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    const reason = interruption.signal.aborted ? interruption.signal.reason : error;
    output.note(`signalbox: ${describeError(reason)}`);
    return exitCodeOf(reason);
  }
}
