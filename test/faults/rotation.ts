/**
 * The signing key rotated on the real Worker while tokens are minted and verified over HTTP (RELIABILITY F13): by the plan
 * of `signalbox rotate signing-key`, at the earliest that it allows, with verifiers that keep a key set as long as they may.
 */
import { newSigningKey } from "../../src/cli/commands/keygen.ts";
import { planRotation, type RotationPlan } from "../../src/cli/signing-rotation.ts";
import { limits } from "../../src/protocol/limits.ts";
import { announcementSeconds, lateClockSeconds, type SigningSlots } from "../../src/protocol/signing-keys.ts";
import { createWorld, type World } from "../support/api.ts";
import { seeded } from "../unit/logs/seeded.ts";
import { ClockedWorker } from "./clocked-worker.ts";
import type { Attempt, Fault, Random, Stage } from "./fault.ts";
import { type Live, Minter } from "./minter.ts";
import type { PlantedBug } from "./planted.ts";
import { type Habits, RelyingParty } from "./relying-party.ts";
import { TokenLoad } from "./token-load.ts";

const minterCount = 2;
/**
 * A new key is seen so long after its plan: at the end of what its announcement has to spare, or at once. The second goes
 * into the slot whose key signed before the first, and at once is as soon as that slot is free.
 */
const seenAfterSeconds = [15 * 60 - 1, 0];

const never = () => 0;
const always = (longest: number) => longest;

function habitsOf(random: Random): Habits[] {
  const sometimes = (longest: number) => (random(2) === 0 ? 0 : random(longest + 1));
  const late = lateClockSeconds;
  return [
    { name: "forgetful and late", leewaySeconds: late, keeps: "none", outageSeconds: never },
    { name: "prompt", leewaySeconds: 0, keeps: "fresh", outageSeconds: never },
    { name: "stale while it asks", leewaySeconds: 0, keeps: "stale", outageSeconds: never },
    { name: "sometimes cut off", leewaySeconds: late, keeps: "stale", outageSeconds: sometimes },
    { name: "cut off for as long as can be", leewaySeconds: 0, keeps: "stale", outageSeconds: always },
  ];
}

class RotationStage implements Stage {
  readonly #worker: ClockedWorker;
  readonly #world: World<ClockedWorker>;
  readonly #minters: readonly Minter[];
  readonly #bug: PlantedBug | null;
  readonly #counts: Record<string, number> = {};

  private constructor(
    worker: ClockedWorker,
    world: World<ClockedWorker>,
    minters: readonly Minter[],
    bug: PlantedBug | null,
  ) {
    this.#worker = worker;
    this.#world = world;
    this.#minters = minters;
    this.#bug = bug;
  }

  static async start(bug: PlantedBug | null): Promise<RotationStage> {
    const worker = await ClockedWorker.start();
    const world = await createWorld(worker);
    const project = `/api/v1/projects/${world.projectId}`;
    const longer = { job_time_limit_seconds: limits.jobTimeLimitSeconds };
    const { status } = await world.as(world.owner, "PATCH", project, longer, { "if-match": '"1"' });
    if (status !== 200) throw new Error(`PATCH project answered ${status}`);
    const minters: Minter[] = [];
    for (let at = 0; at < minterCount; at++) minters.push(new Minter(world, await world.agent()));
    return new RotationStage(worker, world, minters, bug);
  }

  async run({ random }: Attempt): Promise<string[]> {
    const parties = habitsOf(seeded(random(1e9))).map((habits) => new RelyingParty(this.#worker, habits));
    const load = new TokenLoad(this.#worker, { minters: this.#minters, parties, random: seeded(random(1e9)) });
    await load.advanceTo(this.#worker.now + 1);
    const kids = new Set<string>();
    for (const seenAfter of seenAfterSeconds) {
      for (const kid of await this.#rotate(load, seenAfter)) kids.add(kid);
    }
    // The tokens of the key that signed before live on.
    await this.#freeSlot(load);
    if (load.violations.length === 0) load.violations.push(...(await this.#untried(load, kids)));
    const { mints, verifications, refusals } = load.counts;
    this.#count({ "tokens minted": mints, verifications, refusals });
    for (const { counts } of parties) {
      this.#count({ "key sets fetched": counts.keySets, unchanged: counts.unchanged, "stale uses": counts.staleUses });
    }
    return load.violations;
  }

  counts(): Record<string, number> {
    return this.#counts;
  }

  close(): Promise<void> {
    return this.#worker.close();
  }

  /** From a slot that is free to a new key that signs; answers the ids of the keys before and after. */
  async #rotate(load: TokenLoad, seenAfter: number): Promise<string[]> {
    const plan = await this.#freeSlot(load);
    if (plan === null) return [];
    await load.advanceTo(this.#worker.now + seenAfter);
    // Whoever hears nothing from now on heard of the old keys alone.
    await load.parties.at(-1)?.renew();
    const activatesAt = this.#bug === "signs_unannounced" ? this.#worker.now : plan.activatesAt;
    const jwk = await newSigningKey(2048, activatesAt);
    await load.during(this.#worker.putSigningKey(plan.slot.slot, jwk));
    // Whoever asks at once no longer finds the key that is gone.
    await load.round();
    await load.advanceTo(activatesAt - 1);
    const before = await load.round();
    await load.advanceTo(activatesAt);
    const after = await load.round();
    const [old, young] = [kidsOf(before), kidsOf(after)];
    if (this.#bug === null && (old.length !== 1 || young.length !== 1 || old[0] === young[0])) {
      load.violations.push(`${old} signs a second before the new key is due, and then ${young}`);
    }
    for (const { kids, habits } of load.parties) {
      if (kids.includes(plan.slot.kid ?? "none")) load.violations.push(`${habits.name} trusts a key that is gone`);
    }
    this.#count({ rotations: 1 });
    return [...old, ...young];
  }

  /** Waits, under load, until the plan finds a slot: from when the Worker says, not a second sooner. Null: it broke. */
  async #freeSlot(load: TokenLoad): Promise<RotationPlan | null> {
    for (;;) {
      const plan = await this.#plan();
      if (typeof plan !== "string") return plan;
      if (load.violations.length > 0) return null;
      const changesAt = nextChange(await this.#slots());
      if (changesAt <= this.#worker.now) load.violations.push(`no slot comes free: ${plan}`);
      await load.advanceTo(changesAt - 1);
      if (typeof (await this.#plan()) !== "string") load.violations.push("a slot is free before its time");
      await load.advanceTo(changesAt);
    }
  }

  async #plan(): Promise<RotationPlan | string> {
    const slots = await this.#slots();
    const isEarly = this.#bug === "overwrites_early";
    const items = slots.items.map((slot) =>
      isEarly && slot.state === "retired" ? { ...slot, replaceable: true } : slot,
    );
    return planRotation({ ...slots, items }, { compromised: false, delaySeconds: announcementSeconds });
  }

  async #slots(): Promise<SigningSlots> {
    return (await this.#world.as(this.#world.owner, "GET", "/api/v1/signing-keys")).body;
  }

  /** What the trial did not try, though it should have: every verifier on every key, and on what must be refused. */
  async #untried(load: TokenLoad, kids: ReadonlySet<string>): Promise<string[]> {
    const found: string[] = [];
    const { parties, taken } = load;
    const [sound] = await load.round();
    for (const party of parties) {
      const { name } = party.habits;
      for (const kid of kids) if (!taken.has(`${name} ${kid}`)) found.push(`${name} was shown no token of ${kid}`);
      if (party.counts.unanswered > 0) found.push(`${name} was not told the key set ${party.counts.unanswered} times`);
      if ((await party.refusal(forged(sound))) === null) found.push(`${name} takes a forged token`);
    }
    return found;
  }

  #count(more: Record<string, number>): void {
    for (const [name, count] of Object.entries(more)) this.#counts[name] = (this.#counts[name] ?? 0) + count;
  }
}

const kidsOf = (tokens: readonly Live[]) => [...new Set(tokens.map(({ kid }) => kid))];

/** When a key begins to sign, or a slot comes free: whichever is next. */
function nextChange({ items }: SigningSlots): number {
  const changes = items.map(({ state, activates_at, replaceable_at }) =>
    state === "announced" ? activates_at : replaceable_at,
  );
  return Math.min(...changes.map((at) => (at === null ? Number.POSITIVE_INFINITY : Date.parse(at) / 1000)));
}

/** The same token, of another subject. */
function forged(live: Live | undefined): string {
  const [header, payload = "", signature] = (live?.token ?? "").split(".");
  const claims = JSON.parse(Buffer.from(payload, "base64url").toString());
  const other = Buffer.from(JSON.stringify({ ...claims, sub: `${claims.sub}x` })).toString("base64url");
  return `${header}.${other}.${signature}`;
}

export const rotations: readonly Fault[] = [
  {
    name: "rotation",
    promise:
      "no token is refused before its end while the signing key rotates, however long verifiers may keep the key set",
    planted: ["signs_unannounced", "overwrites_early"],
    trials: 5,
    setUp: (bug) => RotationStage.start(bug),
  },
];
