/** An agent in this process and the scripted hub that it works for, anew for each test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { runAgent, type ShutdownReason } from "../../src/agent/agent.ts";
import type { LogEvent } from "../../src/protocol/log-events.ts";
import { ScriptedHub, type ScriptedJob } from "../support/scripted-hub.ts";

/** Filled before each test. */
export interface Site {
  hub: ScriptedHub;
  workDir: string;
  interrupt: AbortController;
  startAgent(env?: Record<string, string>): Promise<ShutdownReason>;
  run(job: ScriptedJob): Promise<{ id: string; result: string; output: string; events: LogEvent[] }>;
}

export function eachTest(): Site {
  let ended: Promise<ShutdownReason> | null = null;
  const site = {} as Site;
  beforeEach(async () => {
    site.hub = await ScriptedHub.start();
    site.workDir = mkdtempSync(join(tmpdir(), "signalbox-agent-"));
    site.interrupt = new AbortController();
    ended = null;
  });
  afterEach(async () => {
    site.hub.shutdown("requested");
    site.interrupt.abort();
    await ended?.catch(() => {});
    await site.hub.close();
    rmSync(site.workDir, { recursive: true, force: true });
  });
  site.startAgent = (env = {}) => {
    ended = runAgent({
      endpoint: site.hub.endpoint,
      token: "REGISTRATION-TOKEN",
      name: "agent-name-1",
      workDir: site.workDir,
      signal: site.interrupt.signal,
      log: () => {},
      env: { ...process.env, ...env },
      clock: { random: () => 0 },
    });
    return ended;
  };
  site.run = async (job) => {
    const { hub } = site;
    const id = hub.add(job);
    if (ended === null) site.startAgent().catch(() => {});
    const result = await hub.result(id);
    return { id, result, output: hub.output(id), events: hub.events(id) };
  };
  return site;
}

export function exitCodes(events: LogEvent[]): [string, number][] {
  return events.flatMap((event): [string, number][] =>
    event.event === "cmd_finished" ? [[event.directive, event.exit_code]] : [],
  );
}
