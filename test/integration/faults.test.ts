/** A few trials of every fault, and every planted bug found: what `npm run faults` explores at length. */
import { describe, expect, it } from "vitest";
import { faults, runFault } from "../faults/run.ts";

describe.each(faults)("under $name", (fault) => {
  it(`${fault.promise}`, async () => {
    const { violations } = await runFault(fault, { seed: 1, trials: 1, planted: false });
    expect(violations).toEqual([]);
  });

  it("a planted bug turns the checker red", async () => {
    const { violations } = await runFault(fault, { seed: 1, trials: 10, planted: true });
    expect(violations).not.toEqual([]);
  });
});
