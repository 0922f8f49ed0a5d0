/** The command line run in this process, its output caught. */
import { CommanderError } from "commander";
import type { Cli } from "../../../src/cli/context.ts";
import { describeError, exitCodeOf } from "../../../src/cli/exit.ts";
import { createOutput } from "../../../src/cli/output.ts";
import { createProgram } from "../../../src/cli/program.ts";

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  env?: Record<string, string>;
  stdin?: string;
}

export async function runCli(argv: readonly string[], surroundings: Surroundings = {}): Promise<Ran> {
  const { ran, program } = inProcess(surroundings);
  try {
    await program.parseAsync(["node", "signalbox", ...argv]);
  } catch (error) {
    if (error instanceof CommanderError) ran.code = error.exitCode === 0 ? 0 : 2;
    else {
      ran.code = exitCodeOf(error);
      ran.stderr += describeError(error);
    }
  }
  return ran;
}

/** What a command is handed, and where its output is caught. */
export function inProcess(surroundings: Surroundings = {}) {
  const ran: Ran = { code: 0, stdout: "", stderr: "" };
  const sink = (name: "stdout" | "stderr") => ({
    write: (text: string) => {
      ran[name] += text;
    },
  });
  const env = { SIGNALBOX_DATA: "/nonexistent/signalbox", ...surroundings.env };
  const cli: Cli = {
    output: createOutput(sink("stdout"), sink("stderr"), env),
    env,
    signal: new AbortController().signal,
    globals: () => program.opts(),
    readStdin: async () => surroundings.stdin ?? "",
    setExitCode: (code) => {
      ran.code = code;
    },
  };
  const program = createProgram(cli, { writeOut: sink("stdout").write, writeErr: sink("stderr").write });
  return { ran, cli, program };
}
