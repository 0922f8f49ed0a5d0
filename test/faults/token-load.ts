/** Tokens minted and verified without a pause, whatever else happens: rounds at one moment each, and a clock between. */
import { lateClockSeconds } from "../../src/protocol/signing-keys.ts";
import type { ClockedWorker } from "./clocked-worker.ts";
import type { Random } from "./fault.ts";
import type { Live, Minter } from "./minter.ts";
import type { RelyingParty } from "./relying-party.ts";

/** Around the longest life that a token has here. */
const lives = [300, 900, 3599, 3600];
/** Longer than a set is fresh: some are asked for in time, some are stale by then. */
const longestStride = 1200;

export class TokenLoad {
  readonly violations: string[] = [];
  readonly counts = { mints: 0, verifications: 0, refusals: 0 };
  /** Whose tokens of which key were taken: `name kid`. */
  readonly taken = new Set<string>();
  readonly parties: readonly RelyingParty[];
  readonly #worker: ClockedWorker;
  readonly #minters: readonly Minter[];
  readonly #random: Random;
  #live: Live[] = [];

  constructor(
    worker: ClockedWorker,
    { minters, parties, random }: { minters: readonly Minter[]; parties: readonly RelyingParty[]; random: Random },
  ) {
    this.#worker = worker;
    this.#minters = minters;
    this.parties = parties;
    this.#random = random;
  }

  /** Moves the clock there in strides, with a round at each; ends at the first refusal. */
  async advanceTo(at: number): Promise<void> {
    while (this.#worker.now < at && this.violations.length === 0) {
      this.#worker.now = Math.min(at, this.#worker.now + 1 + this.#random(longestStride));
      for (const minter of this.#minters) await minter.refresh();
      await this.round();
    }
  }

  /** Rounds for as long as `work` takes. */
  async during(work: Promise<void>): Promise<void> {
    let isDone = false;
    const done = work.finally(() => {
      isDone = true;
    });
    const rounds = async () => {
      while (!isDone) await this.round();
    };
    await Promise.all([done, rounds()]);
  }

  /** Every minter mints once and shows its token to all; meanwhile all are shown what was minted before. */
  async round(): Promise<Live[]> {
    const { now } = this.#worker;
    this.#live = this.#live.filter(({ expiresAt }) => expiresAt + lateClockSeconds > now);
    const before = this.#live;
    const minted = this.#minters.map((minter) => this.#mint(minter));
    const shown = this.parties.map((party) => this.#show(party, this.#some(before)));
    const tokens = await Promise.all(minted);
    await Promise.all(shown);
    for (const party of this.parties) await party.settled();
    return tokens;
  }

  async #mint(minter: Minter): Promise<Live> {
    const token = await minter.mint(lives[this.#random(lives.length)] ?? 300);
    this.counts.mints++;
    this.#live.push(token);
    await Promise.all(this.parties.map((party) => this.#show(party, [token])));
    return token;
  }

  /** Of each key the token that lives longest, and any other. */
  #some(tokens: readonly Live[]): Live[] {
    const chosen = new Set<Live>();
    for (const ofKey of Map.groupBy(tokens, ({ kid }) => kid).values()) {
      const [longest] = ofKey.toSorted((a, b) => b.expiresAt - a.expiresAt);
      for (const token of [longest, ofKey[this.#random(ofKey.length)]]) if (token) chosen.add(token);
    }
    return [...chosen];
  }

  async #show(party: RelyingParty, tokens: readonly Live[]): Promise<void> {
    const { now } = this.#worker;
    const { name, leewaySeconds } = party.habits;
    await Promise.all(
      tokens.map(async ({ token, kid, mintedAt, expiresAt }) => {
        if (expiresAt + leewaySeconds <= now) return;
        const refusal = await party.refusal(token);
        this.counts.verifications++;
        if (refusal === null) {
          this.taken.add(`${name} ${kid}`);
          return;
        }
        this.counts.refusals++;
        const age = `${now - mintedAt} s old, ${expiresAt - now} s to live`;
        this.violations.push(`${name} refused a token, ${age}: ${refusal}`);
      }),
    );
  }
}
