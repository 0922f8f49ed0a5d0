/**
 * The log room with everything around it replaced by what a test says: masks are "sealed" as they are, the clock
 * can be put forward, deadlines answer what was planted. Storage, sockets, alarms and evictions are the real ones.
 */

import type { DeadlineOutcome } from "../../../src/worker/jobs/deadlines.ts";
import { fromUtf8, utf8 } from "../../../src/worker/lib/bytes.ts";
import { type EpochMs, systemClock } from "../../../src/worker/lib/time.ts";
import { forwardPush, forwardViewer, type LogRooms, roomOf } from "../../../src/worker/logs/log-access.ts";
import { type Finish, LogRoomObject } from "../../../src/worker/logs/log-room.ts";
import type { LogRoomPorts } from "../../../src/worker/logs/ports.ts";

interface TestEnv {
  readonly LOG_ROOM: LogRooms<TestEnv>;
}

interface Planted {
  forwardMs: number;
  masksOpen: boolean;
  opened: number;
  asked: string[];
  verdict: DeadlineOutcome | null;
  /** Principals that may no longer watch; null: it cannot be asked. */
  barred: string[] | null;
  /** For how many days the project keeps logs; null: it cannot be asked. */
  retentionDays: number | null;
  /** Deletions that the house was told of. */
  deletions: { at: EpochMs; sha256: string }[];
}

export class TestLogRoom extends LogRoomObject<TestEnv> {
  readonly #planted: Planted = {
    forwardMs: 0,
    masksOpen: true,
    opened: 0,
    asked: [],
    verdict: null,
    barred: [],
    retentionDays: 30,
    deletions: [],
  };
  readonly #instance = crypto.randomUUID();
  #heard = 0;

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
    whoMayWatch: async (_jobId, principalIds) => {
      const { barred } = this.#planted;
      if (barred === null) throw new Error("planted");
      return new Set(principalIds.filter((id) => !barred.includes(id)));
    },
    retentionDays: async () => {
      if (this.#planted.retentionDays === null) throw new Error("planted");
      return this.#planted.retentionDays;
    },
    logDeleted: async (_jobId, deletion) => {
      this.#planted.deletions.push(deletion);
    },
    retentionCheckSeconds: 79_200,
    logBytesMax: 64 * 1024 * 1024,
  };

  async plant({ logBytesMax, ...changes }: Partial<Planted> & { logBytesMax?: number }): Promise<void> {
    Object.assign(this.#planted, changes);
    if (logBytesMax !== undefined) Object.assign(this.ports, { logBytesMax });
  }

  async planted() {
    const { opened, asked, deletions } = this.#planted;
    return {
      opened,
      asked,
      deletions,
      heard: this.#heard,
      instance: this.#instance,
      alarm: await this.ctx.storage.getAlarm(),
    };
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    this.#heard++;
    super.webSocketMessage(socket, message);
  }

  ring(): Promise<void> {
    return this.alarm();
  }
}

/** What a test does to a room beside pushing and watching. By HTTP: a stub held by the test would forbid evictions. */
export interface Calls {
  arm: { claimNumber: number; masks: string; alarmAt: number };
  setAlarm: { at: number };
  finish: Finish;
  notice: { text: string };
  read: { from: number; maxBytes: number };
  summary: undefined;
  plant: Parameters<TestLogRoom["plant"]>[0];
  planted: undefined;
  ring: undefined;
}

async function call(
  room: DurableObjectStub<TestLogRoom>,
  jobId: string,
  name: string,
  body: unknown,
): Promise<unknown> {
  const calls: { [Name in keyof Calls]: (args: Calls[Name]) => unknown } = {
    arm: ({ claimNumber, masks, alarmAt }) =>
      room.arm({ jobId, projectId: "p", claimNumber, sealedMasks: utf8(masks), alarmAt: alarmAt as EpochMs }),
    setAlarm: ({ at }) => room.setAlarm(at as EpochMs),
    finish: (end) => room.finish(end),
    notice: ({ text }) => room.notice(text),
    async read(range) {
      const { events, next, isFinal } = await room.read(range);
      return { events: fromUtf8(events), next, isFinal };
    },
    summary: () => room.summary(),
    plant: (changes) => room.plant(changes),
    planted: () => room.planted(),
    ring: () => room.ring(),
  };
  return calls[name as keyof Calls](body as never);
}

// biome-ignore lint/style/noDefaultExport: a Worker's entry
export default {
  async fetch(request: Request, env: TestEnv): Promise<Response> {
    const url = new URL(request.url);
    const jobId = url.searchParams.get("job") ?? "";
    const room = roomOf(env.LOG_ROOM, jobId);
    const number = (name: string) => Number(url.searchParams.get(name));
    if (url.pathname === "/push") return forwardPush(room, request, number("start_from"), number("claim"));
    if (url.pathname === "/view") {
      const principalId = url.searchParams.get("who") ?? "somebody";
      return forwardViewer(room, request, { from: number("from"), principalId }, systemClock);
    }
    const stub = room as unknown as DurableObjectStub<TestLogRoom>;
    const answer = await call(stub, jobId, url.pathname.slice(1), JSON.parse((await request.text()) || "null"));
    return Response.json(answer ?? null);
  },
} satisfies ExportedHandler<TestEnv>;
