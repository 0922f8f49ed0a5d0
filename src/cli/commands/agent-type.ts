/** `signalbox agent-type`: named queues, each a trust boundary, and the tokens that agents register with. */
import { type Command, Option } from "commander";
import { all } from "../../client/client.ts";
import type { AgentType } from "../../protocol/agent-types.ts";
import { type Cli, connect } from "../context.ts";
import { Failure } from "../exit.ts";
import { collect, collectFingerprints, type Lifetime, lifetime, orNull, type Uses, uses } from "../options.ts";
import { findAgentType, findProject } from "../resolve.ts";

export function addAgentTypeCommands(program: Command, cli: Cli): void {
  const agentType = program.command("agent-type").description("agent types: which agents take which jobs");
  addCreate(agentType, cli);
  agentType
    .command("list")
    .description("all agent types")
    .action(async () => {
      const { client } = await connect(cli);
      const types = await all(client.agentTypes.list);
      if (cli.globals().json) return cli.output.json(types);
      const rows = types.map(({ name, policy, certificates, id }) => [
        name,
        policy.refs === "protected" ? "protected" : policy.refs.join(" "),
        policy.forks ? "yes" : "no",
        certificates === null ? "none" : String(certificates.length),
        policy.project_ids.join(" "),
        id,
      ]);
      cli.output.table(["NAME", "REFS", "FORKS", "CERTIFICATES", "PROJECTS", "ID"], rows);
    });
  addCertificates(agentType, cli);
  addToken(agentType, cli);
}

function addCreate(agentType: Command, cli: Cli): void {
  agentType
    .command("create")
    .description("make an agent type")
    .argument("<name>")
    .requiredOption("--project <project>", "project whose jobs it takes; repeatable", collect)
    .option("--refs <pattern>", "refs whose jobs it takes (default: protected refs); repeatable", collect)
    .option("--forks", "take forks' jobs too")
    .action(async (name: string, options: { project: string[]; refs?: string[]; forks?: boolean }) => {
      const { client } = await connect(cli);
      const projects = await Promise.all(options.project.map((project) => findProject(client, project)));
      const policy = {
        project_ids: projects.map((project) => project.id),
        ...(options.refs ? { refs: options.refs } : {}),
        ...(options.forks ? { forks: true } : {}),
      };
      const made = await client.agentTypes.create({ name, policy });
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`made agent type ${made.name} ${made.id}`);
    });
}

interface CertificateOptions {
  set?: string[];
  clear?: boolean;
}

function addCertificates(agentType: Command, cli: Cli): void {
  agentType
    .command("certificates")
    .description("show or change the client certificates of which its agents must present one")
    .argument("<agent-type>", "name or id")
    .addOption(
      new Option("--set <fingerprint>", "SHA-256, as openssl x509 -fingerprint -sha256 tells it; repeatable")
        .argParser(collectFingerprints)
        .conflicts("clear"),
    )
    .option("--clear", "ask for none")
    .addHelpText("after", "\n--set replaces the whole list. A change holds everywhere within 30 seconds.")
    .action(async (name: string, { set, clear }: CertificateOptions) => {
      const { client } = await connect(cli);
      const found = await findAgentType(client, name);
      const isChange = set !== undefined || clear === true;
      const change = { certificates: set ?? null };
      showCertificates(cli, isChange ? await client.agentTypes.change(found.id, change, found.revision) : found);
    });
}

function showCertificates({ globals, output }: Cli, agentType: AgentType): void {
  const { name, certificates } = agentType;
  if (globals().json) {
    output.json(agentType);
    return;
  }
  const one = certificates === null ? "need no client certificate" : "must present one of these client certificates:";
  output.line(`agents of ${name} ${one}`);
  for (const fingerprint of certificates ?? []) output.line(fingerprint);
}

function addToken(agentType: Command, cli: Cli): void {
  agentType
    .command("token")
    .description("print a new registration token: redirect it into a file of mode 0600")
    .argument("<agent-type>", "name or id")
    .option("--uses <n>", "how many agents may register with it, or unlimited", uses, 1)
    .addOption(new Option("--expires <time>", "such as 12h, or never").argParser(lifetime).default(3600, "1h"))
    .action(async (name: string, options: { uses: Uses; expires: Lifetime }) => {
      const { client } = await connect(cli);
      const found = await findAgentType(client, name);
      const made = await client.agentTypes.createRegistrationToken(found.id, {
        uses: orNull(options.uses),
        expires_in_seconds: orNull(options.expires),
      });
      if (made.token === undefined) throw new Failure("the answer that held the token was lost: make another one");
      if (options.uses === "unlimited" && options.expires === "never") {
        cli.output.note("signalbox: whoever gets hold of this token can register agents for ever");
      }
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(made.token);
    });
}
