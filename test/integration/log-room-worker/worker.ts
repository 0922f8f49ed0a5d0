/**
 * The log room with everything around it replaced by what a test says: masks are "sealed" as they are, the clock
 * can be put forward, deadlines answer what was planted. Storage, sockets, alarms and evictions are the real ones.
 */

import type { EpochMs } from "../../../src/worker/lib/time.ts";
import { forwardPush, forwardViewer, type LogRooms, roomOf } from "../../../src/worker/logs/log-access.ts";
import { LogRoomObject } from "../../../src/worker/logs/log-room.ts";
import type { DeadlineVerdict, LogRoomPorts } from "../../../src/worker/logs/ports.ts";

interface TestEnv {
  readonly LOG_ROOM: LogRooms<TestEnv>;
}

interface Planted {
  forwardMs: number;
  masksOpen: boolean;
  opened: number;
  asked: string[];
  verdict: DeadlineVerdict | null;
}

export class TestLogRoom extends LogRoomObject<TestEnv> {
  readonly #planted: Planted = { forwardMs: 0, masksOpen: true, opened: 0, asked: [], verdict: null };
  readonly #instance = crypto.randomUUID();

  protected override readonly ports: LogRoomPorts = {
    clock: () => (Date.now() + this.#planted.forwardMs) as EpochMs,
    openMasks: async (sealed, context) => {
      this.#planted.opened++;
      if (!this.#planted.masksOpen) throw new Error("planted");
      if (context.secretVersion < 1 || context.purpose !== "log_masks") throw new Error("a wrong context");
      return sealed;
    },
    enforceDeadlines: async (jobId) => {
      this.#planted.asked.push(jobId);
      if (this.#planted.verdict === null) throw new Error("planted");
      return this.#planted.verdict;
    },
    logBytesMax: 64 * 1024 * 1024,
  };

  async plant({ logBytesMax, ...changes }: Partial<Planted> & { logBytesMax?: number }): Promise<void> {
    Object.assign(this.#planted, changes);
    if (logBytesMax !== undefined) Object.assign(this.ports, { logBytesMax });
  }

  async planted() {
    const { opened, asked } = this.#planted;
    return { opened, asked, instance: this.#instance, alarm: await this.ctx.storage.getAlarm() };
  }

  ring(): Promise<void> {
    return this.alarm();
  }
}

export default {
  async fetch(request: Request, env: TestEnv): Promise<Response> {
    const url = new URL(request.url);
    const room = roomOf(env.LOG_ROOM, url.searchParams.get("job") ?? "");
    const number = (name: string) => Number(url.searchParams.get(name));
    if (url.pathname === "/push") return forwardPush(room, request, number("start_from"), number("claim"));
    const viewer = { from: number("from"), principalId: url.searchParams.get("who") ?? "somebody" };
    return forwardViewer(room, request, viewer);
  },
};
