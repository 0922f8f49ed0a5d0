/** The Worker as `signalbox start` sees it: its database brought up to date, then a child process that is ready. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { repositoryRoot } from "../context.ts";
import { Failure } from "../exit.ts";
import { type Child, childEnvironment, startChild } from "./child.ts";
import type { DataFolder } from "./data-folder.ts";

/** What the child says, once. */
export type WorkerReport = { ready: true } | { failed: string };

const startMilliseconds = 60_000;
const tooLong = `it was not ready within ${startMilliseconds / 1000} s`;

export async function migrate(folder: DataFolder, env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<void> {
  const config = join(repositoryRoot, "wrangler.toml");
  const logFile = join(folder.path, "migrations.log");
  const child = startChild({
    script: join(repositoryRoot, "node_modules/wrangler/bin/wrangler.js"),
    args: ["d1", "migrations", "apply", "DB", "--local", "--persist-to", folder.path, "--config", config],
    env: { ...wranglerEnvironment(folder, env), CI: "1" },
    logFile,
    endBy: "SIGTERM",
  });
  const how = await Promise.race([child.ended, aborted(signal).then(() => "an interruption")]);
  await child.stop();
  signal.throwIfAborted();
  if (how !== "exit code 0") {
    throw new Failure(`the database in ${folder.path} could not be brought up to date:\n${await tail(logFile)}`);
  }
}

export async function startWorker(folder: DataFolder, port: number, env: NodeJS.ProcessEnv, signal: AbortSignal) {
  let tell: (report: WorkerReport) => void = () => undefined;
  const reported = new Promise<WorkerReport>((resolve) => {
    tell = resolve;
  });
  const child = startChild({
    script: join(import.meta.dirname, "worker-process.ts"),
    args: [folder.path, String(port)],
    env: wranglerEnvironment(folder, env),
    logFile: folder.workerLog,
    endBy: "disconnect",
    onMessage: (message) => tell(message as WorkerReport),
  });
  const patience = setTimeout(() => tell({ failed: tooLong }), startMilliseconds);
  const died = child.ended.then((how): WorkerReport => ({ failed: `it ended with ${how}` }));
  const report = await Promise.race([reported, died, aborted(signal)]);
  clearTimeout(patience);
  if ("ready" in report) return child;
  await child.stop();
  signal.throwIfAborted();
  throw new Failure(`the Worker did not start: ${report.failed}\n${await tail(folder.workerLog)}`);
}

/** An end of the child that nobody asked for. */
export async function unexpectedEnd(child: Child, what: string, logFile: string): Promise<never> {
  const how = await child.ended;
  throw new Failure(`the ${what} ended unexpectedly (${how}); its last words in ${logFile}:\n${await tail(logFile)}`);
}

function aborted(signal: AbortSignal): Promise<WorkerReport> {
  return new Promise((resolve) => {
    const tell = () => resolve({ failed: "it was interrupted" });
    if (signal.aborted) tell();
    else signal.addEventListener("abort", tell, { once: true });
  });
}

async function tail(path: string): Promise<string> {
  const text = await readFile(path, "utf8").catch(() => "");
  return text.trimEnd().split("\n").slice(-12).join("\n");
}

/** Nothing of the user's Cloudflare account, nothing sent anywhere, nothing written outside the data folder. */
function wranglerEnvironment(folder: DataFolder, env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return {
    ...childEnvironment(env),
    X_LOCAL_EXPLORER: "false",
    // Else every request is traced into a database of its own.
    X_LOCAL_OBSERVABILITY: "false",
    WRANGLER_SEND_METRICS: "false",
    WRANGLER_SEND_ERROR_REPORTS: "false",
    WRANGLER_HIDE_BANNER: "true",
    CLOUDFLARE_CF_FETCH_ENABLED: "false",
    WRANGLER_LOG_PATH: join(folder.path, "wrangler-logs"),
    XDG_CONFIG_HOME: join(folder.path, "wrangler-config"),
    NO_COLOR: "1",
  };
}
