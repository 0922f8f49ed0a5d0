/** A room's final log: its digest from the day that it closes, and its deletion once its project keeps it no longer. */
import type { JobResult } from "../../protocol/jobs.ts";
import { limits } from "../../protocol/limits.ts";
import { report } from "../lib/report.ts";
import { type EpochMs, plusSeconds } from "../lib/time.ts";
import { lifeRetrySeconds, lifeVerdict } from "./log-life.ts";
import { type LogLife, LogLifeStore } from "./log-life-store.ts";
import type { LogStore } from "./log-store.ts";
import type { LogRoomPorts } from "./ports.ts";

export interface RoomSummary {
  /** The next position: events that never arrived are counted too. */
  readonly events: number;
  readonly notices: readonly { readonly position: number; readonly text: string }[];
  /** Null until the log is final. */
  readonly final: ({ readonly result: JobResult } & Omit<LogLife, "lookAt">) | null;
}

export class LogKeeping {
  readonly #store: LogStore;
  readonly #lives: LogLifeStore;
  readonly #ports: () => LogRoomPorts;

  constructor(store: LogStore, storage: DurableObjectStorage, ports: () => LogRoomPorts) {
    this.#store = store;
    this.#lives = new LogLifeStore(storage);
    this.#ports = ports;
  }

  /** To be called in one stretch with what makes the log final. */
  begin(): void {
    const { clock, retentionCheckSeconds } = this.#ports();
    const now = clock();
    this.#lives.begin(now, plusSeconds(now, retentionCheckSeconds));
  }

  /** Null while the log is not final. */
  life(): LogLife | null {
    return this.#store.state().result === null ? null : this.#lives.find();
  }

  summary(): RoomSummary {
    const { head: events, lastSeq, result } = this.#store.state();
    const notices = lastSeq === 0 ? [] : this.#store.notices(limits.logNotices);
    const life = this.life();
    if (result === null || life === null) return { events, notices, final: null };
    const { closedAt, bytes, sha256 } = life;
    return { events, notices, final: { result, closedAt, bytes, sha256 } };
  }

  /**
   * Looks whether the log is due, once it is time to. True: it is deleted, and with it everything that the room knew.
   * Whoever may read it is told first, so that no log is gone that is not known to be.
   */
  async deleteIfDue(jobId: string, onDeletion: () => void): Promise<boolean> {
    const life = this.life();
    const now = this.#ports().clock();
    if (life === null || life.lookAt > now) return false;
    try {
      const lookAt = await this.#nextLook(jobId, life, now);
      if (lookAt !== null) {
        this.#lives.setLook(lookAt);
        return false;
      }
      await this.#ports().logDeleted(jobId, { at: now, sha256: life.sha256 });
      onDeletion();
      await this.#store.empty();
      return true;
    } catch (cause) {
      report("a log could not be looked after", cause);
      this.#lives.setLook(plusSeconds(now, lifeRetrySeconds));
      return false;
    }
  }

  async #nextLook(jobId: string, { closedAt }: LogLife, now: EpochMs): Promise<EpochMs | null> {
    const { retentionDays, retentionCheckSeconds: checkSeconds } = this.#ports();
    const verdict = lifeVerdict(closedAt, await retentionDays(jobId), { now, checkSeconds });
    return verdict.kind === "keep" ? verdict.lookAt : null;
  }
}
