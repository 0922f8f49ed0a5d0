/** `signalbox network`: from where people, agents and viewers may come. */
import { type Command, Option } from "commander";
import type { NetworksShown } from "../../protocol/networks.ts";
import { type Cli, connect } from "../context.ts";
import { UsageError } from "../exit.ts";
import { collect } from "../options.ts";

type Ranges = string[] | undefined;

interface Lists {
  people?: Ranges;
  agents?: Ranges;
  viewers?: Ranges;
  force?: boolean;
}

export function addNetworkCommands(program: Command, cli: Cli): void {
  const network = program.command("network").description("from which networks people, agents and viewers may come");
  network
    .command("show")
    .description("the allowed networks")
    .action(async () => {
      const { client } = await connect(cli);
      show(cli, await client.networks.show());
    });
  network
    .command("set")
    .description("change lists; those that are not named stay. A change holds everywhere within 30 seconds")
    .addOption(list("people", "API tokens"))
    .addOption(list("agents", "agents and their jobs"))
    .addOption(list("viewers", "sockets that watch logs"))
    .option("--force", "even if you would be shut out yourself")
    .action(async (options: Lists) => {
      const { force = false, ...named } = options;
      if (Object.keys(named).length === 0) throw new UsageError("name at least one list to change");
      const change = Object.fromEntries(Object.entries(named).map(([name, ranges]) => [name, rangesOf(name, ranges)]));
      const { client } = await connect(cli);
      const { revision } = await client.networks.show();
      show(cli, await client.networks.change({ ...change, force }, revision));
    });
}

function list(name: string, whom: string): Option {
  return new Option(`--${name} <range>`, `a range that ${whom} may come from, or any; repeatable`).argParser(collect);
}

function rangesOf(name: string, ranges: Ranges): string[] | null {
  if (ranges === undefined || !ranges.includes("any")) return ranges ?? null;
  if (ranges.length > 1) throw new UsageError(`--${name} any stands alone`);
  return null;
}

function show(cli: Cli, networks: NetworksShown): void {
  if (cli.globals().json) {
    cli.output.json(networks);
    return;
  }
  const text = (ranges: readonly string[] | null) => ranges?.join(" ") ?? "any";
  const { people, agents, viewers, revision, trust_proxy } = networks;
  cli.output.table(
    [],
    [
      ["people", text(people)],
      ["agents", text(agents)],
      ["viewers", text(viewers)],
      ["revision", String(revision)],
      ["addresses", trust_proxy ? `the proxy's word: ${proofInWords(networks)}` : "Cloudflare's word"],
    ],
  );
}

function proofInWords({ address_proof: proof }: NetworksShown): string {
  if (proof === null) return "nothing is shown of it (signalbox doctor URL --prove-addresses)";
  if (proof.verdict === "disproven") return `disproven on ${proof.at}, under ${proof.issuer}`;
  return `proven on ${proof.at}, under ${proof.issuer}, ${proof.holds ? "until" : "and lapsed by"} ${proof.holds_until}`;
}
