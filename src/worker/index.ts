/** The Worker's entry: fetch, scheduled, the Durable Objects. Nothing else. */
import { waitUntil } from "cloudflare:workers";
import { createApp } from "./app.ts";
import { type Config, type Env, readConfig } from "./env.ts";
import type { Fetch } from "./http/router.ts";
import { FeedObject } from "./jobs/feed.ts";
import { LogRoomObject } from "./logs/log-room.ts";
import { createServices, feedPorts, logRoomPorts } from "./services.ts";

export class LogRoom extends LogRoomObject<Env> {
  protected override readonly ports = logRoomPorts(this.env, (work) => this.ctx.waitUntil(work));
}

export class Feed extends FeedObject<Env> {
  protected override readonly ports = feedPorts(this.env);
}

/** Building the routes costs more than most requests, so an isolate keeps them as long as its Config. */
let last: { readonly config: Config; readonly app: Fetch } | null = null;

export default {
  async fetch(request, env) {
    const config = await readConfig(env);
    if (last?.config !== config) last = { config, app: createApp(env, config, waitUntil) };
    return last.app(request);
  },

  async scheduled(_event, env) {
    const config = await readConfig(env);
    if (config.issuer === null) return;
    const { jobs, jobChanges, agentProtocol } = createServices(env, config, config.issuer, waitUntil);
    await jobs.sweepQueue(config.settings.queue_limit_seconds);
    await agentProtocol.registration.dropSilent();
    await jobChanges.prune();
  },
} satisfies ExportedHandler<Env>;
