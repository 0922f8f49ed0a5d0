/** `signalbox identity preview`: the token that a job on a ref would get, before there is a job. */
import { type Command, InvalidArgumentError, Option } from "commander";
import { GitRef } from "../../protocol/git-context.ts";
import type { IdentityPreview, IdentityPreviewRequest } from "../../protocol/identity-preview.ts";
import { type Cli, connect } from "../context.ts";
import { UsageError } from "../exit.ts";
import { gitSha } from "../options.ts";
import { findProject } from "../resolve.ts";

interface Options {
  project: string;
  ref: string;
  sha?: string;
  fork?: boolean;
  title?: string;
  branch?: string;
}

export function addIdentityCommands(program: Command, cli: Cli): void {
  program
    .command("identity")
    .description("identity tokens that jobs would get")
    .command("preview")
    .description("header, claims and subjects of the token that a job on this ref would get; nothing is minted")
    .requiredOption("--project <project>", "name or id")
    .addOption(
      new Option("--ref <ref>", "full ref, such as refs/heads/main or refs/pull/12/merge")
        .argParser(anyRef)
        .makeOptionMandatory(),
    )
    .option("--sha <sha>", "the commit (default: zeros)", gitSha)
    .option("--fork", "a pull request that comes from a fork (default: every pull request)")
    .option("--no-fork", "one that does not")
    .option("--title <title>", "the pull request's title")
    .option("--branch <branch>", "the branch that it comes from")
    .action(async (options: Options) => {
      const request = requestOf(options);
      const { client } = await connect(cli);
      const { id } = await findProject(client, options.project);
      show(cli, await client.identity.preview(id, request));
    });
}

function requestOf({ ref, sha, fork, title, branch }: Options): IdentityPreviewRequestInput {
  const number = /^refs\/pull\/(\d+)\//.exec(ref)?.[1];
  const isTold = fork !== undefined || title !== undefined || branch !== undefined;
  if (number === undefined && isTold) {
    throw new UsageError("--fork, --title and --branch are of pull requests: refs/pull/N/merge");
  }
  const pull_request = { number: Number(number), title: title ?? "", branch: branch ?? "" };
  return {
    ref,
    ...(sha !== undefined && { sha }),
    ...(fork !== undefined && { fork }),
    ...(number !== undefined && { pull_request }),
  };
}

type IdentityPreviewRequestInput = Partial<IdentityPreviewRequest> & Pick<IdentityPreviewRequest, "ref">;

function show(cli: Cli, preview: IdentityPreview): void {
  if (cli.globals().json) {
    cli.output.json(preview);
    return;
  }
  cli.output.line(preview.minted ? "such a job gets this token" : `such a job gets no token: ${preview.reason}`);
  cli.output.line("header");
  cli.output.table([], rowsOf(preview.header));
  cli.output.line("claims");
  cli.output.table([], rowsOf(preview.claims));
  for (const { form, bytes, cut, fits } of preview.subjects) {
    cli.output.line(`subject ${form}: ${bytes} bytes${cut ? ", cut: it ends in a hash, so match it whole" : ""}`);
    const rows = fits.map((limit) => ["", limit.relying_party, `${limit.bytes_max}`, limit.fits ? "fits" : "TOO LONG"]);
    cli.output.table([], rows);
  }
}

function rowsOf(members: Readonly<Record<string, unknown>>): string[][] {
  return Object.entries(members).map(([name, value]) => ["", name, JSON.stringify(value)]);
}

function anyRef(text: string): string {
  if (GitRef.safeParse(text).success) return text;
  throw new InvalidArgumentError("It must be a full ref: refs/heads/…, refs/tags/… or refs/pull/N/merge.");
}
