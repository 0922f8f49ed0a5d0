import { describe, expect, it } from "vitest";
import { judgeTrials, planTrials, type SeenTrial } from "../../../../src/worker/accounts/address-trials.ts";

const real = "203.0.113.7";

/** Every trial of a plan, seen to come from the real address. */
function allSeen(): SeenTrial[] {
  const plan = planTrials((count) => new Uint8Array(count).fill(255));
  return plan.map(({ path, isUpgrade, forged, address, isRefusable }) => ({
    path,
    isUpgrade,
    forged,
    forgedAddress: address,
    isRefusable,
    isSeen: true,
    seenAddress: real,
  }));
}

/** The same with one trial otherwise: the first that fits. */
function withOne(fits: (trial: SeenTrial) => boolean, change: (trial: SeenTrial) => Partial<SeenTrial>): SeenTrial[] {
  const trials = allSeen();
  const at = trials.findIndex(fits);
  return trials.map((trial, index) => (index === at ? { ...trial, ...change(trial) } : trial));
}

const judged = (trials: SeenTrial[]) => {
  const { verdict, address, problems } = judgeTrials(trials);
  return [verdict, address, problems.map(({ forged, detail }) => `${forged}: ${detail}`)];
};

describe("the judgement", () => {
  it("is proven where everything came from one address, however it is written", () => {
    expect(judged(allSeen())).toEqual(["proven", real, []]);
    const mapped = withOne(
      ({ isUpgrade }) => isUpgrade,
      () => ({ seenAddress: `::ffff:${real}` }),
    );
    expect(judged(mapped)).toEqual(["proven", real, []]);
  });

  it("is disproven by any forged address, of its own request or of another, in any form", () => {
    const own = withOne(
      ({ forged }) => forged === "Forwarded",
      ({ forgedAddress }) => ({ seenAddress: `::ffff:${forgedAddress}` }),
    );
    expect(judged(own)).toEqual(["disproven", null, [expect.stringContaining("Forwarded: was believed")]]);
    const others = allSeen().at(-1)?.forgedAddress ?? null;
    const mixed = withOne(
      ({ forged }) => forged === "nothing",
      () => ({ seenAddress: others }),
    );
    expect(judged(mixed)[0]).toBe("disproven");
    const unseenToo = mixed.map((trial) => (trial.seenAddress === real ? { ...trial, isSeen: false } : trial));
    expect(judged(unseenToo)[0]).toBe("disproven");
  });

  it("shows nothing where a request did not arrive, unless it forges what Cloudflare's edge refuses", () => {
    const lost = withOne(
      ({ forged }) => forged === "X-Forwarded-For",
      () => ({ isSeen: false, seenAddress: null }),
    );
    expect(judged(lost)).toEqual(["incomplete", null, ["X-Forwarded-For: did not arrive"]]);
    const refused = withOne(
      ({ forged }) => forged === "CF-Connecting-IP",
      () => ({ isSeen: false, seenAddress: null }),
    );
    expect(judged(refused)).toEqual(["proven", real, []]);
    expect(judged([])).toEqual(["incomplete", null, []]);
  });

  it("shows nothing where an address is missing, is a list, or is another than the rest's", () => {
    for (const seenAddress of [null, "", `${real}, ${real}`, "unknown"]) {
      const trials = withOne(
        ({ forged }) => forged === "nothing",
        () => ({ seenAddress }),
      );
      expect(judged(trials)).toEqual(["incomplete", null, ["nothing: came with no address that can be read"]]);
    }
    const roaming = withOne(
      ({ forged }) => forged === "X-Client-IP",
      () => ({ seenAddress: "203.0.113.8" }),
    );
    expect(judged(roaming)).toEqual(["incomplete", null, [expect.stringContaining("came from 203.0.113.8")]]);
  });
});

it("the forged addresses are distinct for any start, and none is one that somebody could come from", () => {
  for (const fill of [0, 1, 127, 255]) {
    const addresses = planTrials((count) => new Uint8Array(count).fill(fill)).flatMap(({ address }) => address ?? []);
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const address of addresses) expect(address).toMatch(/^198\.1[89]\.\d{1,3}\.\d{1,3}$/);
  }
});
