/** `signalbox rotate`: new keys for a deployment, without downtime. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { Client } from "../../client/client.ts";
import { ApiProblem } from "../../client/errors.ts";
import type { CompromisedKeyReport, SigningSlots } from "../../protocol/signing-keys.ts";
import { type Cli, connect } from "../context.ts";
import { Failure, UsageError } from "../exit.ts";
import { type Lifetime, lifetime, orNull } from "../options.ts";
import { planRotation, type RotationPlan } from "../signing-rotation.ts";
import { putSecret } from "../wrangler.ts";
import { modulusBits, newSigningKey } from "./keygen.ts";
import { addRotateSealingKey } from "./rotate-sealing-key.ts";
import { showDead } from "./signing-keys.ts";

interface Options {
  bits: string;
  activateIn: Lifetime;
  print?: boolean;
  compromised?: boolean;
}

/** A put secret is a new version of the Worker, which reaches every place within seconds. */
const seenWithinSeconds = 120;

export function addRotateCommands(program: Command, cli: Cli): void {
  const group = program.command("rotate").description("new keys for a deployment, without downtime");
  addRotateSealingKey(group, cli);
  group
    .command("signing-key")
    .description("put a new signing key into the slot that is no longer needed; it signs once everybody can know it")
    .addOption(new Option("--bits <n>", "its length").choices(modulusBits.map(String)).default(String(modulusBits[0])))
    .addOption(
      new Option("--activate-in <time>", "when it begins to sign, 90m ahead at least")
        .argParser(lifetime)
        .default(86_400, "1d"),
    )
    .option("--print", "print it for `wrangler secret put` or another way, in place of writing it")
    .addOption(
      new Option("--compromised", "overwrite the key that signs, at once: every token that it signed dies").conflicts(
        "activateIn",
      ),
    )
    .action(async (options: Options) => rotate(cli, options));
}

async function rotate(cli: Cli, options: Options): Promise<void> {
  const { client } = await connect(cli);
  const before = await client.signingKeys.slots();
  const plan = planned(before, options);
  const jwk = await newSigningKey(Number(options.bits), plan.activatesAt);
  const { slot } = plan.slot;
  if (options.print) {
    cli.output.note(`For ${slot}; it signs from ${timestamp(plan.activatesAt)}. Put it there before long.`);
    if (options.compromised) cli.output.note(`Then: signalbox signing-keys --compromised ${plan.slot.kid}`);
    return cli.output.raw(`${jwk}\n`);
  }
  cli.output.note(`Writing ${slot} through wrangler; it signs from ${timestamp(plan.activatesAt)}.`);
  await putSecret(cli, slot, jwk);
  const after = await changed(cli, client, plan);
  if (options.compromised) return showDead(cli, await buried(cli, client, plan.slot.kid ?? ""));
  if (cli.globals().json) return cli.output.json(after);
  const written = after.items.find((item) => item.slot === slot);
  cli.output.line(`${slot} holds ${written?.kid}, which signs from ${written?.activates_at}`);
}

function planned(slots: SigningSlots, options: Options): RotationPlan {
  const delaySeconds = orNull(options.activateIn);
  if (delaySeconds === null) throw new UsageError("--activate-in: a key that never signs is none");
  const plan = planRotation(slots, { compromised: options.compromised ?? false, delaySeconds });
  if (typeof plan === "string") throw new Failure(plan);
  return plan;
}

/** Waits until the Worker itself says that the slot holds another key. */
async function changed(cli: Cli, client: Client, { slot }: RotationPlan): Promise<SigningSlots> {
  for (let waited = 0; waited < seenWithinSeconds; waited++) {
    const now = await client.signingKeys.slots();
    const found = now.items.find((item) => item.slot === slot.slot);
    if (found?.state === "unusable") throw new Failure(`${slot.slot} now holds what is no signing key`);
    if (found !== undefined && found.kid !== null && found.kid !== slot.kid) return now;
    await sleep(1000, undefined, { signal: cli.signal });
  }
  throw new Failure(`${slot.slot} is written, but the Worker does not show it yet: look at signalbox signing-keys`);
}

/** Places that still run the version before hold the key, and say so. */
async function buried(cli: Cli, client: Client, kid: string): Promise<CompromisedKeyReport> {
  for (let waited = 0; ; waited++) {
    try {
      return await client.signingKeys.compromised(kid);
    } catch (error) {
      if (!(error instanceof ApiProblem)) throw error;
      // A slot held it until now: no token knows it, so none died.
      if (error.code === "refused") return { dead: 0, items: [] };
      if (error.code !== "conflict" || waited >= seenWithinSeconds) throw error;
      await sleep(1000, undefined, { signal: cli.signal });
    }
  }
}

function timestamp(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
