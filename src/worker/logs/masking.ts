/**
 * The room's matcher: made once per arm and kept in memory; after an eviction made again by opening the sealed
 * masks. Plaintext needles live here alone, and only while the job runs.
 */
import type { LogStore } from "./log-store.ts";
import { compileMatcher, type Matcher } from "./mask.ts";
import { masksContext, needlesOf } from "./needles.ts";
import type { LogRoomPorts } from "./ports.ts";
import type { ArmedJob } from "./room-state.ts";

interface ArmedMatcher {
  readonly maskRevision: number;
  readonly matcher: Matcher;
}

export class Masking {
  readonly #store: LogStore;
  #armed: ArmedMatcher | null = null;

  constructor(store: LogStore) {
    this.#store = store;
  }

  forget(): void {
    this.#armed = null;
  }

  /** The matcher of these very masks, if it is at hand: to be asked in the stretch that stores. */
  held(job: ArmedJob): Matcher | undefined {
    return this.#armed?.maskRevision === job.maskRevision ? this.#armed.matcher : undefined;
  }

  /** Makes `held` answer. @throws where the masks cannot be opened: then nothing may be stored. */
  async prepare(job: ArmedJob, ports: LogRoomPorts): Promise<void> {
    if (this.held(job) !== undefined) return;
    const sealed = this.#store.sealedMasks();
    if (sealed.length === 0) throw new Error("an armed room has no masks");
    const context = masksContext(job.projectId, job.jobId, job.claimNumber);
    const masks = await Promise.all(sealed.map((each) => ports.openMasks(each, context)));
    // In the order of the arms, so that a later one adds to the list and a carry's number stays true.
    const needles = new Set(masks.flatMap((each) => needlesOf(each).needles));
    this.#armed = { maskRevision: job.maskRevision, matcher: compileMatcher([...needles]) };
  }
}
