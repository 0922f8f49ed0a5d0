/** The real Worker over HTTP, by a clock that the trial moves, and deployed with other signing keys while it is asked. */
import { type SigningSlotName, signingSlots } from "../../src/protocol/signing-keys.ts";
import type { Server } from "../support/api.ts";
import { defaultVars, type Harness, startHarness, type Vars } from "../support/harness.ts";

/** No agent of a trial syncs while the clock jumps. */
const settings = JSON.stringify({ next_sync_after_ms: 100, agent_lost_seconds: 1e9 });

export class ClockedWorker implements Server {
  /** Unix seconds. Moved by the trial alone, while nothing is under way. */
  now = Math.floor(Date.now() / 1000);
  readonly #harness: Harness;
  readonly #slots: Partial<Record<SigningSlotName, string>> = { SIGNING_KEY_1: defaultVars.SIGNING_KEY_1 };

  private constructor(harness: Harness) {
    this.#harness = harness;
  }

  static async start(): Promise<ClockedWorker> {
    const config = "test/faults/clocked-worker/wrangler.toml";
    return new ClockedWorker(await startHarness({ SETTINGS: settings }, config));
  }

  /** What is asked while it is deployed is answered by the isolates before or after. */
  readonly fetch: Server["fetch"] = (path, init = {}) => this.#harness.fetch(path, this.#timed(init));

  readonly dispatch: Server["dispatch"] = (url, init = {}) => this.#harness.dispatch(url, this.#timed(init));

  /** What `wrangler secret put` comes to: new isolates over the same data, of which one slot's key is another. */
  async putSigningKey(slot: SigningSlotName, jwk: string): Promise<void> {
    this.#slots[slot] = jwk;
    const vars: Vars = Object.fromEntries(signingSlots.map((name) => [name, this.#slots[name]]));
    await this.#harness.deploy(vars);
  }

  close(): Promise<void> {
    return this.#harness.close();
  }

  #timed(init: RequestInit): RequestInit {
    const headers = new Headers(init.headers);
    headers.set("x-test-now", String(this.now * 1000));
    return { ...init, headers };
  }
}
