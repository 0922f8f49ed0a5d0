/**
 * `signalbox token request`: inside a job, an identity token for an audience. It speaks to the address that the job
 * was handed, with the job's own request token; no API token is there, nor needed.
 */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Command, Option } from "commander";
import { type Backoff, backoffMilliseconds, systemClock } from "../../client/clock.ts";
import { ApiProblem, Unreachable } from "../../client/errors.ts";
import { createTransport } from "../../client/transport.ts";
import { SubjectForm, TokenAnswer } from "../../protocol/identity-profiles.ts";
import { type Cli, messageOf, oneLine, secureOrigin } from "../context.ts";
import { describeError, Failure, UsageError } from "../exit.ts";
import { decodeToken } from "../identity-check.ts";
import { collect, type Lifetime, lifetime, orNull } from "../options.ts";

interface Options {
  audience?: string;
  lifetime?: Lifetime;
  subject?: string;
  awsTag?: string[];
  claim?: string[];
  format: "jwt" | "gcp" | "file";
  output?: string;
  refresh?: string;
}

export function addRequestCommand(token: Command, cli: Cli): void {
  token
    .command("request", { isDefault: true })
    .description("inside a job: an identity token of its own, masked in the job's log before it is printed")
    .option("--audience <audience>", "whom it is for (default: the issuer)")
    .option("--lifetime <time>", "such as 15m (default: what the identity profile allows, at most 1h)", lifetime)
    .addOption(new Option("--subject <form>", "form of its subject").choices(SubjectForm.options))
    .option("--aws-tag <claim>", "claim to hand to AWS as a session tag; repeatable", collect)
    .option("--claim <name>", "claim to carry, besides those that every token has (default: all); repeatable", collect)
    .addOption(
      new Option(
        "--format <format>",
        "jwt: the token; gcp: Google's executable-sourced credential; file: the path of a new file that holds it",
      )
        .choices(["jwt", "gcp", "file"])
        .default("jwt"),
    )
    .option("--output <file>", "write it there, mode 0600, in place of printing it")
    .addOption(
      new Option(
        "--refresh <file>",
        "write it there and go on writing new ones before they expire, until stopped",
      ).conflicts(["output"]),
    )
    .action(async (options: Options) => {
      if (options.refresh !== undefined) return await refresh(cli, options, options.refresh);
      const text = formatted(await request(cli, options), options);
      const path = options.output ?? (options.format === "file" ? await newPath(cli) : undefined);
      if (path !== undefined) await writeWhole(path, `${text}\n`);
      if (path === undefined) cli.output.line(text);
      else if (options.format === "file") cli.output.line(path);
    });
}

async function request(cli: Cli, options: Options): Promise<string> {
  const { SEMAPHORE_OIDC_REQUEST_URL: url, SEMAPHORE_OIDC_REQUEST_TOKEN: credential } = cli.env;
  if (!url || !credential) {
    throw new UsageError("SEMAPHORE_OIDC_REQUEST_URL and _TOKEN are not set: this works inside a job that has a token");
  }
  const seconds = options.lifetime === undefined ? undefined : orNull(options.lifetime);
  if (seconds === null) throw new UsageError("--lifetime: a token ends; never is none");
  const { token, source } = oneLine(credential, "SEMAPHORE_OIDC_REQUEST_TOKEN");
  const transport = createTransport({
    baseUrl: secureOrigin(url),
    token,
    tokenSource: source,
    fetch,
    clock: systemClock,
    signal: cli.signal,
  });
  const body = {
    audience: options.audience,
    lifetime_seconds: seconds,
    subject: options.subject,
    aws_session_tags: options.awsTag,
    claims: options.claim,
  };
  // A mint whose answer was lost costs the job one of its tokens, and nothing else.
  const call = { method: "POST", path: new URL(url).pathname, body, repeatable: true } as const;
  const answer = await transport.json(TokenAnswer, call);
  return answer.value;
}

function formatted(token: string, { format }: Options): string {
  return format === "gcp" ? googleCredential(token) : token;
}

/** In a folder of its own, which nobody else may enter; the job's folder for temporary files goes with the job. */
async function newPath(cli: Cli): Promise<string> {
  return join(await mkdtemp(join(cli.env.TMPDIR || tmpdir(), "signalbox-token-")), "token");
}

/** A new token when two thirds of the last one's life are over: a job may have three hundred, each lives minutes. */
async function refresh(cli: Cli, options: Options, path: string): Promise<void> {
  for (let token = await request(cli, options); ; token = await renewed(cli, options)) {
    await writeWhole(path, `${formatted(token, options)}\n`);
    const { iat, exp } = decodeToken(token)?.claims ?? {};
    if (typeof iat !== "number" || typeof exp !== "number") throw new Failure("the answer holds no token that ends");
    cli.output.note(`${path} holds a token until ${new Date(exp * 1000).toISOString()}`);
    await systemClock.sleep(Math.max(1, ((exp - iat) * 2) / 3) * 1000, cli.signal);
  }
}

const patience: Backoff = { firstMilliseconds: 1000, mostMilliseconds: 30_000 };

/** The last token lives on for a while, and the job may outlive an outage: nobody looks after what runs beside it. */
async function renewed(cli: Cli, options: Options): Promise<string> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await request(cli, options);
    } catch (error) {
      const passes = error instanceof Unreachable || (error instanceof ApiProblem && error.status >= 500);
      if (!passes) throw error;
      cli.output.note(`no new token yet: ${describeError(error)}`);
      await systemClock.sleep(backoffMilliseconds(patience, attempt, systemClock.random), cli.signal);
    }
  }
}

/**
 * Google's executable-sourced credentials (AIP-4117): what its libraries read from a program's standard output, or from
 * the file that it keeps. Of a file they demand the expiry, in Unix seconds.
 */
function googleCredential(token: string): string {
  const type = "urn:ietf:params:oauth:token-type:jwt";
  const expiration_time = decodeToken(token)?.claims.exp;
  return JSON.stringify({ version: 1, success: true, token_type: type, id_token: token, expiration_time });
}

/** By a rename: whoever reads it meets the old token or the new one, never half of one, nor one that others opened. */
async function writeWhole(path: string, text: string): Promise<void> {
  const temporary = `${path}.${crypto.randomUUID()}`;
  try {
    await writeFile(temporary, text, { mode: 0o600, flag: "wx" });
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw new Failure(`cannot write ${path}: ${messageOf(error)}`);
  }
}
