/** `signalbox token`: API tokens, and a look into identity tokens. */
import { type Command, Option } from "commander";
import { all } from "../../client/client.ts";
import { Role } from "../../protocol/principal.ts";
import { type Cli, connect } from "../context.ts";
import { Failure } from "../exit.ts";
import { type Lifetime, lifetime, orNull } from "../options.ts";
import { findProject } from "../resolve.ts";
import { addInspectCommand } from "./token-inspect.ts";
import { addRequestCommand } from "./token-request.ts";

export function addTokenCommands(program: Command, cli: Cli): void {
  const token = program.command("token").description("API tokens; inspect: what an identity token says");
  addCreate(token, cli);
  token
    .command("list")
    .description("all API tokens, never the tokens themselves")
    .action(async () => {
      const { client } = await connect(cli);
      const tokens = await all(client.tokens.list);
      if (cli.globals().json) return cli.output.json(tokens);
      const rows = tokens.map((found) => [
        found.name,
        found.role,
        found.project_id ?? "all projects",
        found.revoked_at ? "revoked" : (found.expires_at ?? "never"),
        found.id,
      ]);
      cli.output.table(["NAME", "ROLE", "PROJECT", "EXPIRES", "ID"], rows);
    });
  token
    .command("revoke")
    .description("end a token now")
    .argument("<id>")
    .option("--made", "and every token made with it, and with those, and their agents: for one that leaked")
    .action(async (id: string, { made = false }: { made?: boolean }) => {
      const { client } = await connect(cli);
      await client.tokens.revoke(id, made);
      if (cli.globals().json) cli.output.json({ revoked: id });
      else cli.output.line(`revoked ${id}`);
    });
  addInspectCommand(token, cli);
  addRequestCommand(token, cli);
}

function addCreate(token: Command, cli: Cli): void {
  token
    .command("create")
    .description("print a new API token: it is shown this once")
    .argument("<name>", "what it is for")
    .addOption(new Option("--role <role>", "what it may do").choices(Role.options).makeOptionMandatory())
    .option("--project <project>", "only there (default: the whole organization)")
    .addOption(new Option("--expires <time>", "such as 30d, or never").argParser(lifetime).default(90 * 86_400, "90d"))
    .action(async (name: string, options: { role: Role; project?: string; expires: Lifetime }) => {
      const { client } = await connect(cli);
      const made = await client.tokens.create({
        name,
        role: options.role,
        project_id: options.project === undefined ? null : (await findProject(client, options.project)).id,
        expires_in_seconds: orNull(options.expires),
      });
      if (made.token === undefined) {
        throw new Failure(`the answer that held the token was lost: revoke ${made.id} and make another one`);
      }
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(made.token);
    });
}
