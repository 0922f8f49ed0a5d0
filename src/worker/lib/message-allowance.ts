/**
 * How many messages a socket may still send: one for each frame that it was sent, one a second, and a few at first. An
 * honest reader acknowledges no more frames than it got. What is saved up ends at a limit, or a day's patience would buy a flood.
 */
import { limits } from "../../protocol/limits.ts";
import type { EpochMs } from "./time.ts";

export class MessageAllowance {
  #left: number = limits.socketMessagesAtFirst;
  #since: EpochMs;

  constructor(now: EpochMs) {
    this.#since = now;
  }

  /** A frame went out: its acknowledgement may come. */
  earn(): void {
    this.#add(1);
  }

  /** Takes one message; false where none is left. */
  spend(now: EpochMs): boolean {
    this.#add(Math.max(0, now - this.#since) / 1000);
    this.#since = now;
    if (this.#left < 1) return false;
    this.#left--;
    return true;
  }

  #add(messages: number): void {
    this.#left = Math.min(limits.socketMessagesSaved, this.#left + messages);
  }
}
