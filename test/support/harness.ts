/** Wrangler's harness around the whole product: the real Worker on workerd, real D1, Durable Objects and sockets. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { join } from "node:path";
import { createTestHarness } from "wrangler";
import type { Env } from "../../src/worker/env.ts";

process.env.WRANGLER_SEND_METRICS = "false";
process.env.CLOUDFLARE_CF_FETCH_ENABLED = "false";
process.env.X_LOCAL_EXPLORER = "false";
process.env.WRANGLER_HIDE_BANNER = "true";

const root = join(import.meta.dirname, "../..");

/** Loopback, so that transport is not enforced; the harness picks the port, so that no test can depend on it. */
export const issuer = "http://127.0.0.1:8787";
export const bootstrapToken = "test-bootstrap-token";

/** Base64 of 32 random bytes: what `head -c32 /dev/urandom | base64` prints. */
export function newSealingKey(): string {
  return randomBytes(32).toString("base64");
}

/** A private RSA JWK with `activates_at`, as SIGNING_KEY_1 holds it. */
export function newSigningKey(activatesAt = 0, bits = 2048): string {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  return JSON.stringify({ ...privateKey.export({ format: "jwk" }), activates_at: activatesAt });
}

/** Made once per run: RSA keys are slow to make. */
export const defaultVars = {
  ISSUER: issuer,
  SETTINGS: JSON.stringify({ next_sync_after_ms: 100 }),
  ACCESS_KEY_ENCRYPTION: newSealingKey(),
  SIGNING_KEY_1: newSigningKey(),
  BOOTSTRAP_TOKEN: bootstrapToken,
};

export type Vars = Partial<Record<keyof Env, string | undefined>>;

export interface Harness {
  readonly url: URL;
  /** The Worker's own D1, for what no route shows. */
  readonly db: D1Database;
  /** Its log rooms and its feed, for use cases that a test runs by itself. */
  readonly objects: Pick<Env, "LOG_ROOM" | "FEED">;
  fetch(path: string, init?: RequestInit): Promise<Response>;
  /** The same as if it came from Cloudflare's edge at this URL: any host, encrypted where the URL says https. */
  dispatch(url: string, init?: RequestInit): Promise<Response>;
  /** A deploy with other variables: same data, new isolates. `undefined` takes one away. */
  deploy(vars: Vars): Promise<void>;
  /** Throws the room's memory away; sockets hibernate or are cut. */
  evictRoom(jobId: string, webSockets: "hibernate" | "close"): Promise<void>;
  evictFeed(webSockets: "hibernate" | "close"): Promise<void>;
  /** Rows of the room's own SQL. */
  roomRows(jobId: string, sql: string): Promise<unknown[]>;
  /** Fires the cron trigger. */
  cron(): Promise<void>;
  /** What the Worker wrote to its console since the start. */
  logs(): string;
  close(): Promise<void>;
}

/** Starts the Worker on an empty, migrated database; `config` is another wrangler.toml, around the same Worker. */
export async function startHarness(vars: Vars = {}, config = "wrangler.toml"): Promise<Harness> {
  const configPath = join(root, config);
  const worker = (changed: Vars) => ({ configPath, vars: definedVars({ ...defaultVars, ...changed }) });
  const server = createTestHarness({ root, workers: [worker(vars)] });
  let { url } = await server.listen();
  const handle = () => server.getWorker<Env>();
  await handle().applyD1Migrations("DB");
  let env = await handle().getEnv();
  return {
    get url() {
      return url;
    },
    get db() {
      return env.DB;
    },
    get objects() {
      return { LOG_ROOM: env.LOG_ROOM, FEED: env.FEED };
    },
    fetch: (path, init) => fetch(new URL(path, url), { redirect: "manual", ...init }),
    async dispatch(to, init) {
      const response = await handle().fetch(to, { redirect: "manual", ...init } as never);
      return response as unknown as Response;
    },
    async deploy(changed) {
      await server.update({ root, workers: [worker({ ...vars, ...changed })] });
      ({ url } = await server.listen());
      env = await handle().getEnv();
    },
    evictFeed: (webSockets) => handle().evictDurableObject("FEED", { name: "feed", webSockets }),
    evictRoom: (jobId, webSockets) => handle().evictDurableObject("LOG_ROOM", { name: jobId, webSockets }),
    async roomRows(jobId, sql) {
      const storage = await handle().getDurableObjectStorage("LOG_ROOM", { name: jobId });
      return storage.exec(sql);
    },
    async cron() {
      await handle().scheduled({ cron: "*/5 * * * *" });
    },
    logs: () =>
      server
        .getLogs()
        .map((entry) => JSON.stringify(entry))
        .join("\n"),
    close: () => server.close(),
  };
}

function definedVars(vars: Vars): Record<string, string> {
  return Object.fromEntries(Object.entries(vars).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
