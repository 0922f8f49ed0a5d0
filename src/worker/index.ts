/** The Worker's entry: fetch, scheduled, the cached entrypoint, the Durable Object. Nothing else. */
import { WorkerEntrypoint } from "cloudflare:workers";
import { createApp, createPublicKeysApp } from "./app.ts";
import { type Env, readConfig } from "./env.ts";
import type { Fetch } from "./http/router.ts";
import { LogRoomObject } from "./logs/log-room.ts";
import { createServices, logRoomPorts } from "./services.ts";

export class LogRoom extends LogRoomObject<Env> {
  protected override readonly ports = logRoomPorts(this.env);
}

/** Workers Cache stands in front of this entrypoint alone: its key holds no host, so nothing here depends on one. */
export class PublicKeys extends WorkerEntrypoint<Env> {
  override async fetch(request: Request): Promise<Response> {
    return createPublicKeysApp(await readConfig(this.env))(request);
  }
}

export default {
  async fetch(request, env, ctx) {
    const publicKeys: Fetch = (document) => ctx.exports.PublicKeys.fetch(document);
    return createApp(env, await readConfig(env), publicKeys)(request);
  },

  async scheduled(_event, env) {
    const config = await readConfig(env);
    if (config.issuer === null) return;
    const { jobs, agentProtocol } = createServices(env, config, config.issuer);
    await jobs.sweepQueue(config.settings.queue_limit_seconds);
    await agentProtocol.registration.dropSilent();
  },
} satisfies ExportedHandler<Env>;
