/** A Worker on workerd for a bench: loopback, a free port, nothing kept. */
import { createTestHarness } from "wrangler";

Object.assign(process.env, {
  WRANGLER_SEND_METRICS: "false",
  WRANGLER_HIDE_BANNER: "true",
  CLOUDFLARE_CF_FETCH_ENABLED: "false",
  X_LOCAL_EXPLORER: "false",
});

export interface BenchWorker {
  readonly url: URL;
  /** Applies the migrations that the configuration names to this D1 binding. */
  migrate(binding: string): Promise<void>;
  close(): Promise<void>;
}

/** `configPath` is a wrangler.toml, from the repository's root. */
export async function startBenchWorker(configPath: string, vars: Record<string, string> = {}): Promise<BenchWorker> {
  const server = createTestHarness({ workers: [{ configPath, vars }] });
  const { url } = await server.listen();
  return {
    url,
    migrate: async (binding) => void (await server.getWorker().applyD1Migrations(binding)),
    close: () => server.close(),
  };
}
