/** The Worker's entry: fetch, scheduled, the cached entrypoint, the Durable Object. Nothing else. */
import { exports, WorkerEntrypoint } from "cloudflare:workers";
import { createApp, createPublicKeysApp } from "./app.ts";
import { type Config, type Env, readConfig } from "./env.ts";
import type { Fetch } from "./http/router.ts";
import { LogRoomObject } from "./logs/log-room.ts";
import { createServices, logRoomPorts, type PublicDocuments } from "./services.ts";

export class LogRoom extends LogRoomObject<Env> {
  protected override readonly ports = logRoomPorts(this.env);
}

/** Workers Cache stands in front of this entrypoint alone: its key holds no host, so nothing here depends on one. */
export class PublicKeys extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    const { publicKeys } = await appsOf(this.env);
    return publicKeys(request);
  }

  /** Of this entrypoint's cache, which no other can purge. False where the runtime keeps none. */
  async purge(): Promise<boolean> {
    const result = await this.ctx.cache?.purge({ purgeEverything: true });
    return result?.success ?? false;
  }
}

const documents: PublicDocuments = {
  fetch: (request) => exports.PublicKeys.fetch(request),
  purge: () => exports.PublicKeys.purge(),
};

/** Building the routes costs more than most requests, so an isolate keeps them as long as its Config. */
let last: { readonly config: Config; readonly app: Fetch; readonly publicKeys: Fetch } | null = null;

async function appsOf(env: Env): Promise<{ readonly app: Fetch; readonly publicKeys: Fetch }> {
  const config = await readConfig(env);
  if (last?.config !== config) {
    const app = createApp(env, config, documents);
    last = { config, app, publicKeys: createPublicKeysApp(config) };
  }
  return last;
}

export default {
  async fetch(request, env) {
    const { app } = await appsOf(env);
    return app(request);
  },

  async scheduled(_event, env) {
    const config = await readConfig(env);
    if (config.issuer === null) return;
    const { jobs, jobChanges, agentProtocol } = createServices(env, config, config.issuer, documents);
    await jobs.sweepQueue(config.settings.queue_limit_seconds);
    await agentProtocol.registration.dropSilent();
    await jobChanges.prune();
  },
} satisfies ExportedHandler<Env>;
