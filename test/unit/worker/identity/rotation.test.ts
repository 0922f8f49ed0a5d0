/**
 * Months of rotation in virtual time, by the rules that the command and the Worker follow: keys go into whichever slot
 * may be overwritten, tokens are minted all the while, and verifiers hold the key set for exactly as long as its
 * Cache-Control lets them. Every verification is a real signature, counted; none may fail.
 */
import { type JWK, jwtVerify } from "jose";
import { expect, test } from "vitest";
import { planRotation } from "../../../../src/cli/signing-rotation.ts";
import { announcementSeconds, publicCaching } from "../../../../src/protocol/signing-keys.ts";
import { activeKey, parseSigningKeys, type SigningKey, signToken } from "../../../../src/worker/crypto/signing.ts";
import { publicJwks } from "../../../../src/worker/identity/discovery.ts";
import { slotsAt } from "../../../../src/worker/identity/signing-slots.ts";
import { type EpochMs, type EpochSeconds, toSeconds, toTimestamp } from "../../../../src/worker/lib/time.ts";
import { newSigningKey } from "../../../support/harness.ts";
import { seeded } from "../../logs/seeded.ts";
import { startedAt } from "../fixtures.ts";

interface Issued {
  readonly token: string;
  readonly kid: string;
  readonly expiresAt: EpochSeconds;
}

/** A relying party whose cache never asks before it must: stale answers are served while they may be. */
class Verifier {
  verified = 0;
  refused: string[] = [];
  private readonly keptSeconds: number;
  private cached: { readonly keys: readonly JWK[]; readonly at: number } | null = null;

  constructor(keptSeconds: number) {
    this.keptSeconds = keptSeconds;
  }

  async verify(token: string, now: EpochSeconds, fetchKeys: () => readonly JWK[]): Promise<void> {
    if (this.cached === null || now - this.cached.at >= this.keptSeconds) this.cached = { keys: fetchKeys(), at: now };
    const { keys } = this.cached;
    try {
      await jwtVerify(token, ({ kid }) => keyOf(keys, kid), {
        algorithms: ["RS256"],
        currentDate: new Date(now * 1000),
      });
      this.verified++;
    } catch (error) {
      this.refused.push(`${now}: ${error}`);
    }
  }
}

function keyOf(keys: readonly JWK[], kid: string | undefined): JWK {
  const found = keys.find((key) => key.kid === kid);
  if (found === undefined) throw new Error(`no key ${kid}`);
  return found;
}

const texts = Array.from({ length: 3 }, () => newSigningKey());
const { maxAge, staleWhileRevalidate, staleIfError } = publicCaching;
const longestKept = maxAge + staleWhileRevalidate + staleIfError;
const verifierLives = [0, maxAge, maxAge + staleWhileRevalidate, longestKept];

/** One run: `lead` is how far ahead keys are announced, `obey` whether the ledger rule is heeded. */
async function run(options: { lead: number; obey: boolean; steps: number; stepSeconds: number }) {
  const random = seeded(5);
  const verifiers = verifierLives.map((life) => new Verifier(life));
  const installed = new Map<string, string>([["SIGNING_KEY_1", texts[0] ?? ""]]);
  const issued: Issued[] = [];
  let keys = await held(installed);
  let [now, rotations] = [toSeconds(startedAt), 0];
  for (let step = 0; step < options.steps; step++, now = (now + options.stepSeconds) as EpochSeconds) {
    const at = (now * 1000) as EpochMs;
    const slots = slotsAt({ keys, problems: [] }, lastExpiries(issued), at).map((slot) =>
      options.obey || slot.state !== "retired" ? slot : { ...slot, replaceable: true },
    );
    const plan = planRotation(
      { items: slots, next: null, now: toTimestamp(at), earliest_activation_at: "" },
      { compromised: false, delaySeconds: announcementSeconds },
    );
    if (typeof plan !== "string") {
      const text = JSON.parse(texts[++rotations % texts.length] ?? "");
      installed.set(plan.slot.slot, JSON.stringify({ ...text, activates_at: now + options.lead }));
      keys = await held(installed);
    }
    issued.push(await mint(keys, now, 300 + random(3300)));
    for (const { token } of issued.filter(({ expiresAt }) => expiresAt > now)) {
      for (const verifier of verifiers) await verifier.verify(token, now, () => publicJwks(keys, now).keys);
    }
  }
  const verified = verifiers.reduce((sum, verifier) => sum + verifier.verified, 0);
  return { rotations, verified, refused: verifiers.flatMap(({ refused }) => refused) };
}

async function held(installed: ReadonlyMap<string, string>): Promise<readonly SigningKey[]> {
  return (await parseSigningKeys([...installed])).keys;
}

async function mint(keys: readonly SigningKey[], now: EpochSeconds, life: number): Promise<Issued> {
  const key = activeKey(keys, now);
  if (key === null) throw new Error("no key");
  const expiresAt = (now + life) as EpochSeconds;
  return { token: await signToken(key, { iat: now, exp: expiresAt }), kid: key.kid, expiresAt };
}

function lastExpiries(issued: readonly Issued[]): ReadonlyMap<string, EpochMs> {
  const last = new Map<string, EpochMs>();
  for (const { kid, expiresAt } of issued) {
    last.set(kid, Math.max(last.get(kid) ?? 0, expiresAt * 1000) as EpochMs);
  }
  return last;
}

test("under the rules no verifier refuses a live token, however long it may keep the key set", async () => {
  const { rotations, verified, refused } = await run({
    lead: announcementSeconds,
    obey: true,
    steps: 250,
    stepSeconds: 240,
  });
  expect(refused).toEqual([]);
  expect(rotations).toBeGreaterThanOrEqual(5);
  expect(verified).toBeGreaterThan(5000);
});

test("a key that signs at once is refused, by those that may still hold the key set without it", async () => {
  const { refused } = await run({ lead: 0, obey: true, steps: 40, stepSeconds: 240 });
  expect(refused.length).toBeGreaterThan(0);
});

test("a slot that is overwritten before its time loses live tokens", async () => {
  const { refused } = await run({ lead: announcementSeconds, obey: false, steps: 100, stepSeconds: 240 });
  expect(refused.length).toBeGreaterThan(0);
});
