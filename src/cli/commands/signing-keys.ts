/** `signalbox signing-keys`: both slots, since when each signs, when it may be overwritten. */
import type { Command } from "commander";
import type { CompromisedKeyReport, SigningSlot } from "../../protocol/signing-keys.ts";
import { type Cli, connect } from "../context.ts";

export function addSigningKeysCommand(program: Command, cli: Cli): void {
  program
    .command("signing-keys")
    .description("both signing slots: what each holds, since when it signs, when it may be overwritten")
    .option("--compromised <kid>", "once that key is overwritten: list the tokens that died with it")
    .action(async ({ compromised }: { compromised?: string }) => {
      const { client } = await connect(cli);
      if (compromised !== undefined) return showDead(cli, await client.signingKeys.compromised(compromised));
      const slots = await client.signingKeys.slots();
      if (cli.globals().json) return cli.output.json(slots);
      const head = ["SLOT", "STATE", "SIGNS FROM", "LAST TOKEN EXPIRES", "MAY BE OVERWRITTEN", "BITS", "KID"];
      cli.output.table(head, slots.items.map(rowOf));
    });
}

export function showDead(cli: Cli, report: CompromisedKeyReport): void {
  if (cli.globals().json) {
    cli.output.json(report);
    return;
  }
  cli.output.note(
    `${report.dead} live tokens died with the key. Verifiers may hold it for as long as caches let them.`,
  );
  if (report.items.length === 0) return;
  const rows = report.items.map((token) => [token.jti, token.job_id, token.aud, token.expires_at, token.sub]);
  cli.output.table(["TOKEN", "JOB", "AUDIENCE", "EXPIRES", "SUBJECT"], rows);
}

function rowOf(slot: SigningSlot): string[] {
  return [
    slot.slot,
    slot.state,
    slot.activates_at ?? "",
    slot.last_token_expires_at ?? "",
    slot.replaceable ? "now" : (slot.replaceable_at ?? "no"),
    slot.bits === null ? "" : String(slot.bits),
    slot.kid ?? "",
  ];
}
