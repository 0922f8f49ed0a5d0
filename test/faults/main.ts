/** Breaks the product in seeded ways, and checks after each that the promises held: `npm run faults -- --help`. */
import { writeFileSync } from "node:fs";
import { Command, InvalidArgumentError } from "commander";
import type { Fault } from "./fault.ts";
import type { PlantedBug } from "./planted.ts";
import { faults, runFault } from "./run.ts";

interface Options {
  seed: number;
  trials?: number;
  planted?: boolean;
  json?: string;
}

async function run(names: string[], { seed, trials, planted = false, json }: Options, command: Command): Promise<void> {
  const chosen = faults.filter(({ name }) => names.length === 0 || names.includes(name));
  if (chosen.length === 0)
    command.error(`no fault is named so; there are ${faults.map(({ name }) => name).join(", ")}`);
  const results: object[] = [];
  for (const fault of chosen) {
    for (const bug of planted ? fault.planted : [null]) {
      results.push(await resultOf(fault, { seed, trials: trials ?? fault.trials, planted: bug }));
      if (json !== undefined) writeFileSync(json, `${JSON.stringify(results, null, 2)}\n`);
    }
  }
}

async function resultOf(
  fault: Fault,
  asked: { seed: number; trials: number; planted: PlantedBug | null },
): Promise<object> {
  const { seed, planted } = asked;
  const started = performance.now();
  const { trials, violations, counts } = await runFault(fault, asked);
  const isRed = violations.length > 0;
  if (isRed !== (planted !== null)) process.exitCode = 1;
  const seconds = (performance.now() - started) / 1000;
  const told = planted
    ? `${isRed ? "found" : "NOT FOUND"}: planted ${planted}, in ${trials} trials`
    : `${isRed ? "BROKEN" : "held"}: ${fault.promise} (${trials} trials from seed ${seed}, ${violations.length} violations)`;
  process.stdout.write(`${fault.name.padEnd(10)} ${told}, ${seconds.toFixed(1)} s\n`);
  for (const violation of violations.slice(0, 5)) process.stdout.write(`           ${violation}\n`);
  const counted = Object.entries(counts).map(([what, count]) => `${count} ${what}`);
  if (counted.length > 0) process.stdout.write(`           ${counted.join(", ")}\n`);
  const { name, promise } = fault;
  return { name, promise, planted, seed, trials, counts, violations, seconds };
}

function whole(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("takes a whole number");
  return Number(text);
}

await new Command("npm run faults --")
  .description("break the product in seeded ways, and check after each that the promises held")
  .argument("[name...]", `faults to try (default: all): ${faults.map(({ name }) => name).join(", ")}`)
  .option("--seed <n>", "where the first trial begins; the same seed breaks the same", whole, 1)
  .option("--trials <n>", "how many of each", whole)
  .option("--planted", "put each known bug in, and expect the checker of its fault to find it")
  .option("--json <file>", "write [{name, promise, planted, seed, trials, counts, violations, seconds}] there")
  .addHelpText("after", "\nExits with 1 where a promise was broken, or a planted bug was not found.")
  // As of the command line of the product: 2 where the command is wrong.
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .action(run)
  .parseAsync();
