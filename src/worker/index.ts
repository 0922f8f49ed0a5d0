/** The Worker's entry: fetch, scheduled, the Durable Object. Nothing else. */
import { createApp } from "./app.ts";
import { type Config, type Env, readConfig } from "./env.ts";
import type { Fetch } from "./http/router.ts";
import { LogRoomObject } from "./logs/log-room.ts";
import { createServices, logRoomPorts } from "./services.ts";

export class LogRoom extends LogRoomObject<Env> {
  protected override readonly ports = logRoomPorts(this.env);
}

/** Building the routes costs more than most requests, so an isolate keeps them as long as its Config. */
let last: { readonly config: Config; readonly app: Fetch } | null = null;

export default {
  async fetch(request, env) {
    const config = await readConfig(env);
    if (last?.config !== config) last = { config, app: createApp(env, config) };
    return last.app(request);
  },

  async scheduled(_event, env) {
    const config = await readConfig(env);
    if (config.issuer === null) return;
    const { jobs, jobChanges, agentProtocol } = createServices(env, config, config.issuer);
    await jobs.sweepQueue(config.settings.queue_limit_seconds);
    await agentProtocol.registration.dropSilent();
    await jobChanges.prune();
  },
} satisfies ExportedHandler<Env>;
