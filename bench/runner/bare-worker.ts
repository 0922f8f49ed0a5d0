/**
 * A Worker on workerd itself, as `npm run serve` runs it: no development proxy before it and nothing that is told of every
 * event, which would cost more than what is measured. Its database is empty and has no tables.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleInto, readWorkerToml } from "../../src/cli/serve/bundle.ts";
import { startRuntime } from "../../src/cli/serve/runtime.ts";
import { serverConfig } from "../../src/cli/serve/workerd-config.ts";
import { freePort } from "../../src/cli/start/port.ts";

export interface BareWorker {
  readonly url: URL;
  close(): Promise<void>;
}

/** `configPath` is a wrangler.toml, from the repository's root; the product's own if not told. */
export async function startBareWorker(secrets: Record<string, string>, configPath?: string): Promise<BareWorker> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-bench-"));
  const port = await freePort(0);
  const url = new URL(`http://127.0.0.1:${port}`);
  const toml = readWorkerToml(configPath);
  const storage = join(folder, "storage");
  await mkdir(storage);
  const env = { ...process.env, WRANGLER_SEND_METRICS: "false", WRANGLER_LOG_PATH: join(folder, "logs") };
  await bundleInto(folder, toml, env);
  const config = join(folder, "server.capnp");
  const vars = { ISSUER: url.origin, SETTINGS: "{}", TRUST_PROXY: "off" };
  const site = { bundle: "worker.js", storage, address: url.host, vars, secretNames: Object.keys(secrets) };
  await writeFile(config, serverConfig(toml, site));
  const runtime = await startRuntime(config, { ...env, ...secrets });
  return {
    url,
    async close() {
      await runtime.stop(5000);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
