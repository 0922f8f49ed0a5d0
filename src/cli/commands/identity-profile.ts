/** `signalbox identity-profile`: which tokens, besides the default one, a project's jobs may ask for. */
import type { Command } from "commander";
import { all } from "../../client/client.ts";
import { ClaimName } from "../../protocol/identity.ts";
import { AwsTagClaim, SubjectForm } from "../../protocol/identity-profiles.ts";
import { type Cli, connect } from "../context.ts";
import { Failure, UsageError } from "../exit.ts";
import { collect, type Lifetime, lifetime, orNull } from "../options.ts";
import { findProject } from "../resolve.ts";

interface CreateOptions {
  project: string;
  audience: string;
  subject?: string[];
  lifetime: Lifetime;
  awsTag?: string[];
  claim?: string[];
  refs?: string[];
  agentType?: string[];
}

export function addIdentityProfileCommands(program: Command, cli: Cli): void {
  const group = program
    .command("identity-profile")
    .description("which identity tokens, besides the default one, jobs may ask for");
  addCreate(group, cli);
  group
    .command("list")
    .description("a project's identity profiles")
    .requiredOption("--project <project>", "name or id")
    .action(async (options: { project: string }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const profiles = await all((query) => client.identityProfiles.list(project.id, query));
      if (cli.globals().json) return cli.output.json(profiles);
      const rows = profiles.map(({ name, rules }) => [
        name,
        rules.audience,
        rules.subject_forms.join(" "),
        `${rules.lifetime_seconds_max} s`,
        rules.refs === "protected" ? "protected" : rules.refs.join(" "),
      ]);
      cli.output.table(["NAME", "AUDIENCE", "SUBJECTS", "LIFETIME", "REFS"], rows);
    });
  group
    .command("delete")
    .description("delete one: jobs get no more tokens by it")
    .argument("<name>")
    .requiredOption("--project <project>", "name or id")
    .action(async (name: string, options: { project: string }) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const profiles = await all((query) => client.identityProfiles.list(project.id, query));
      const found = profiles.find((profile) => profile.name === name);
      if (found === undefined) throw new Failure(`the project has no identity profile ${name}`);
      await client.identityProfiles.delete(project.id, found.id);
      if (cli.globals().json) cli.output.json({ deleted: found.id });
      else cli.output.line(`deleted identity profile ${name}`);
    });
}

function addCreate(group: Command, cli: Cli): void {
  group
    .command("create")
    .description("let a project's jobs ask for tokens of an audience")
    .argument("<name>")
    .requiredOption("--project <project>", "name or id")
    .requiredOption("--audience <audience>", "such as sts.amazonaws.com")
    .option("--subject <form>", `${SubjectForm.options.join(", ")} (default: semaphore); repeatable`, collect)
    .option("--lifetime <time>", "at most, such as 15m", lifetime, lifetime("1h"))
    .option("--aws-tag <claim>", "claim that may become an AWS session tag; repeatable", collect)
    .option("--claim <name>", "claim that tokens have besides those that all have (default: all); repeatable", collect)
    .option("--refs <pattern>", "refs whose jobs may ask (default: protected refs); repeatable", collect)
    .option("--agent-type <name>", "agent types whose jobs may ask (default: any); repeatable", collect)
    .action(async (name: string, options: CreateOptions) => {
      const { client } = await connect(cli);
      const project = await findProject(client, options.project);
      const seconds = orNull(options.lifetime);
      if (seconds === null) throw new UsageError("--lifetime: a token ends; never is none");
      const rules = {
        audience: options.audience,
        lifetime_seconds_max: seconds,
        ...(options.subject && { subject_forms: checked("--subject", SubjectForm.array(), options.subject) }),
        ...(options.awsTag && { aws_session_tags: checked("--aws-tag", AwsTagClaim.array(), options.awsTag) }),
        ...(options.claim && { claims: checked("--claim", ClaimName.array(), options.claim) }),
        ...(options.refs && { refs: options.refs }),
        ...(options.agentType && { agent_types: options.agentType }),
      };
      const made = await client.identityProfiles.create(project.id, { name, rules });
      if (cli.globals().json) cli.output.json(made);
      else cli.output.line(`made identity profile ${made.name} for ${made.rules.audience}`);
    });
}

function checked<Value>(
  option: string,
  schema: { safeParse(value: unknown): { success: boolean; data?: Value } },
  given: readonly string[],
): Value {
  const parsed = schema.safeParse(given);
  if (!parsed.success || parsed.data === undefined) throw new UsageError(`${option}: ${given.join(", ")} is none`);
  return parsed.data;
}
