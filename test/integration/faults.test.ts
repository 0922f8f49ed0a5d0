/** A few trials of every fault, and every planted bug found: what `npm run faults` explores at length. */
import { describe, expect, it } from "vitest";
import { faults, runFault } from "../faults/run.ts";

describe.each(faults)("under $name", (fault) => {
  it(`${fault.promise}`, async () => {
    const { violations, counts } = await runFault(fault, { seed: 1, trials: 1, planted: null });
    expect(violations).toEqual([]);
    expect(counts.verifications ?? 500, "tokens were verified in numbers").toBeGreaterThanOrEqual(500);
  });

  it.each(fault.planted)("the planted bug %s turns the checker red", async (planted) => {
    const { violations, counts } = await runFault(fault, { seed: 1, trials: 10, planted });
    expect(violations).not.toEqual([]);
    expect(counts.refusals ?? 1, "a verifier saw it, and no breakdown of the trial").toBeGreaterThan(0);
  });
});
