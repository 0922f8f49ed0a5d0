/** What `npm start` says besides the job's log. */
import { relative } from "node:path";
import type { Cli } from "../context.ts";
import { type Output, paint } from "../output.ts";
import { printable } from "../terminal.ts";
import type { DataFolder } from "./data-folder.ts";
import { headCommit } from "./demo-job.ts";
import type { Check } from "./summary.ts";

export interface Progress {
  say(text: string): void;
  summary(checks: readonly Check[]): void;
}

export function createProgress(output: Output, now: () => number = () => performance.now()): Progress {
  const began = now();
  return {
    say(text) {
      const seconds = ((now() - began) / 1000).toFixed(1).padStart(5);
      output.raw(`${paint(output.colour, "dim", `${seconds} s`)}  ${printable(text)}\n`);
    },
    summary(checks) {
      output.raw("\n");
      for (const { label, done } of checks) {
        const word = paint(output.colour, done ? "green" : "red", done ? "done  " : "failed");
        output.raw(`${word}  ${label}\n`);
      }
      output.raw("\n");
    },
  };
}

export async function closingWords(baseUrl: string, folder: DataFolder, cli: Cli): Promise<string[]> {
  const sha = await headCommit();
  const where = cli.globals().data === undefined && !cli.env.SIGNALBOX_DATA ? "" : ` --data ${folder.path}`;
  return [
    `The API is at ${baseUrl}; the owner's token is in ${relative(process.cwd(), folder.ownerToken)}, where the CLI finds it.`,
    "Run another job from a second terminal:",
    `  npm run --silent signalbox --${where} job run --project demo --agent-type local --ref refs/heads/main --sha ${sha} --follow -- 'echo hello; id -un'`,
    "This is a development set-up: jobs started here run as you and can read the data folder, secrets included.",
    "Ctrl-C stops everything.",
  ];
}
