/**
 * Breaks the log room in seeded ways, and checks after each that the promises held.
 *
 *   npm run faults -- [--seed N] [--trials N] [--planted] [NAME…]
 *
 * `--planted` puts a known bug into the room for each fault, and expects its checker to find it. Exits with 1 where a
 * promise was broken, or a planted bug was not found.
 */
import { parseArgs } from "node:util";
import { faults, runFault } from "./run.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string" }, trials: { type: "string" }, planted: { type: "boolean", default: false } },
});
const seed = Number(values.seed ?? 1);
const chosen = faults.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
if (chosen.length === 0)
  throw new Error(`no fault is named so; there are ${faults.map(({ name }) => name).join(", ")}`);

for (const fault of chosen) {
  const started = performance.now();
  const trials = Number(values.trials ?? fault.trials);
  const outcome = await runFault(fault, { seed, trials, planted: values.planted });
  const isRed = outcome.violations.length > 0;
  if (isRed !== values.planted) process.exitCode = 1;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const told = values.planted
    ? `${isRed ? "found" : "NOT FOUND"}: planted ${fault.planted}, in ${outcome.trials} trials`
    : `${isRed ? "BROKEN" : "held"}: ${fault.promise} (${outcome.trials} trials from seed ${seed}, ${outcome.violations.length} violations)`;
  process.stdout.write(`${fault.name.padEnd(10)} ${told}, ${seconds} s\n`);
  for (const violation of outcome.violations.slice(0, 5)) process.stdout.write(`           ${violation}\n`);
}
