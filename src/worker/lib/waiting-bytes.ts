/** How many bytes wait in this isolate for readers, by principal, over all their sockets. Pure but for what it remembers. */
import type { EpochMs } from "./time.ts";

interface Held {
  readonly bytes: number;
  readonly until: EpochMs | null;
}

export class WaitingBytes {
  readonly #principals = new Map<string, Map<object, Held>>();

  /** From now on so many wait for this socket; with `until` only until then: who says so may not live to say 0. */
  put(principalId: string, socket: object, bytes: number, until: EpochMs | null = null): void {
    const sockets = this.#principals.get(principalId) ?? new Map<object, Held>();
    if (bytes > 0) this.#principals.set(principalId, sockets.set(socket, { bytes, until }));
    else sockets.delete(socket);
    if (sockets.size === 0) this.#principals.delete(principalId);
  }

  /** Over all sockets of this principal. */
  total(principalId: string, now: EpochMs): number {
    let total = 0;
    for (const [socket, { bytes, until }] of this.#principals.get(principalId) ?? []) {
      if (until === null || until > now) total += bytes;
      else this.put(principalId, socket, 0);
    }
    return total;
  }
}
