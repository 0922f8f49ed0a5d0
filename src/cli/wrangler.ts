/** Wrangler as a child process: it holds the operator's login, and writes a deployment's secrets. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { type Cli, repositoryRoot } from "./context.ts";
import { Failure } from "./exit.ts";

const bundled = join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js");

/**
 * `wrangler secret put NAME`, the secret on its standard input: on no command line and in no environment.
 * @throws Failure where it ends with another code than 0.
 */
export async function putSecret(cli: Cli, name: string, text: string): Promise<void> {
  const own = cli.env.SIGNALBOX_WRANGLER;
  const [program, first] = own ? [own, []] : [process.execPath, [bundled]];
  const child = spawn(program, [...first, "secret", "put", name], {
    cwd: repositoryRoot,
    // What it says goes beside our result, not into it.
    stdio: ["pipe", 2, 2],
    signal: cli.signal,
    env: { ...withoutCredential(cli.env), WRANGLER_SEND_METRICS: "false" },
  });
  // One that ends early closes the pipe; its exit code says why.
  child.stdin?.on("error", () => undefined);
  child.stdin?.end(text);
  const ended = await new Promise<string | null>((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("close", (code, signal) => resolve(code === 0 ? null : (signal ?? `exit code ${code}`)));
  });
  cli.signal.throwIfAborted();
  if (ended !== null) throw new Failure(`wrangler secret put ${name} failed: ${ended}`);
}

/** The API token is ours, and nothing to wrangler. */
function withoutCredential(env: Cli["env"]): NodeJS.ProcessEnv {
  const { SIGNALBOX_TOKEN: _, ...rest } = env;
  return rest;
}
