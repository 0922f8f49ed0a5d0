/**
 * The child process that runs the Worker on the embedded runtime, on loopback alone, without explorer and
 * inspector. Arguments: data folder, port. Secrets are read from the data folder, so that no argument and no
 * environment holds them. It ends itself and its group when its parent is gone.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { unstable_startWorker } from "wrangler";
import { repositoryRoot } from "../context.ts";
import { parseSecrets } from "./secrets.ts";
import type { WorkerReport } from "./worker.ts";

const [folder = "", port = ""] = process.argv.slice(2);
let ending = false;
let dispose: () => Promise<void> = async () => undefined;

// Not by a signal: the runtime's own handlers of those end the process before anything is disposed of.
process.once("disconnect", () => void end());

try {
  await run();
} catch (error) {
  report({ failed: error instanceof Error ? error.message : String(error) });
  console.error(error);
  await end();
}

async function run(): Promise<void> {
  const secretsFile = join(folder, "secrets.env");
  const secrets = Object.entries(parseSecrets(await readFile(secretsFile, "utf8")));
  const worker = await unstable_startWorker({
    config: join(repositoryRoot, "wrangler.toml"),
    // Named so that no .dev.vars or .env of the checkout is read instead.
    envFiles: [secretsFile],
    bindings: {
      ISSUER: { type: "plain_text", value: `http://127.0.0.1:${port}` },
      ...Object.fromEntries(secrets.map(([name, value]) => [name, { type: "secret_text", value }])),
    },
    dev: {
      server: { hostname: "127.0.0.1", port: Number(port) },
      inspector: false,
      persist: folder,
      watch: false,
      liveReload: false,
      // Routes of a deployment must not rewrite the local Host.
      inferOriginFromRoutes: false,
    },
  });
  dispose = () => worker.dispose();
  await worker.ready;
  report({ ready: true });
}

function report(message: WorkerReport): void {
  if (process.connected) process.send?.(message);
}

async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  // A runtime that does not end by itself goes with the group, which this process leads.
  setTimeout(() => process.kill(-process.pid, "SIGKILL"), 4000);
  await dispose().catch(() => undefined);
  // Disposing kills the runtime but does not wait for it: it must not be left for init to reap.
  setTimeout(() => process.exit(), 250);
}
