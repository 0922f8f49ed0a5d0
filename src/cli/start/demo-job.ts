/** The first job: it uses what it was handed, so that its log shows that the product works. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type * as z from "zod";
import type { JobStart } from "../../protocol/jobs.ts";
import { repositoryRoot } from "../context.ts";
import { demoNames } from "./setup.ts";

/** The commands as they stand in the log, by what each one shows. */
export const demoCommands = {
  claims: '"$SIGNALBOX_NODE" "$SIGNALBOX_CLI" token inspect --issuer "$SIGNALBOX_ISSUER"',
  verified: '"$SIGNALBOX_NODE" "$SIGNALBOX_VERIFY"',
  altered: '"$SIGNALBOX_NODE" "$SIGNALBOX_VERIFY" --altered',
  sshKey: "ssh-keygen -y -f ~/.ssh/demo-deploy",
  // On purpose: the log must show *** instead.
  secret: "printf 'the secret is %s\\n' \"$DEMO_SECRET\"",
} as const;

export function demoJob(baseUrl: string, sha: string): z.input<typeof JobStart> {
  return {
    name: "the first job",
    ref: "refs/heads/main",
    sha,
    agent_type: demoNames.agentType,
    time_limit_seconds: 120,
    spec: {
      commands: Object.values(demoCommands),
      // A job has a home of its own and little environment: it is told where things are.
      env: [
        { name: "SIGNALBOX_NODE", value: process.execPath },
        { name: "SIGNALBOX_CLI", value: join(repositoryRoot, "src/cli/main.ts") },
        { name: "SIGNALBOX_VERIFY", value: join(repositoryRoot, "src/cli/demo/verify-token.ts") },
        { name: "SIGNALBOX_ISSUER", value: baseUrl },
      ],
      keys: [
        { key: demoNames.sshKey, file: { path: ".ssh/demo-deploy", mode: "0600", field: "private_key" } },
        { key: demoNames.secretKey, env: { value: "DEMO_SECRET" } },
      ],
    },
  };
}

/** The checkout's own commit, or zeros where this is no checkout. */
export async function headCommit(): Promise<string> {
  const git = promisify(execFile)("git", ["rev-parse", "--verify", "HEAD"], { cwd: repositoryRoot });
  const head = await git.then(({ stdout }) => stdout.trim()).catch(() => "");
  return /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(head) ? head : "0".repeat(40);
}
