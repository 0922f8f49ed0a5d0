/** `signalbox trust explain`: of a token at hand, of a job that there was, or of one that there might be. */
import { type Command, Option } from "commander";
import { AwsTagClaim, type SubjectForm } from "../../protocol/identity-profiles.ts";
import { TokenClaims, TrustCloud, type TrustExplanation } from "../../protocol/trust.ts";
import { claimsOfJwt } from "../../trust/token.ts";
import { explainTrust } from "../../trust/trust.ts";
import { type Cli, connect, readInput, readJson } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { collectOf, gitRef } from "../options.ts";
import { cloudOption, readable, readPolicy } from "../policy-input.ts";
import { findProject } from "../resolve.ts";
import { showExplanation } from "../trust-report.ts";

interface ExplainOptions {
  cloud: TrustCloud;
  jwt?: string;
  claims?: string;
  job?: string;
  jti?: string;
  project?: string;
  ref?: string;
  audience?: string;
  subject?: SubjectForm;
  awsTag?: AwsTagClaim[];
}

export function addExplain(trust: Command, cli: Cli): void {
  trust
    .command("explain")
    .description("whether a cloud takes a token by a policy, condition by condition; exits 1 unless it does")
    .argument("[policy]", "file that holds it; - is standard input", "-")
    .addOption(cloudOption(TrustCloud.options))
    .addOption(new Option("--jwt <file>", "a token, which is not sent anywhere (default: SEMAPHORE_OIDC_TOKEN)"))
    .option("--claims <file>", "a token's claims as JSON")
    .option("--job <id>", "a job that there was, by the tokens that it had: asks the server")
    .option("--jti <id>", "with --job: this one of its tokens (without, each is explained)")
    .option("--project <project>", "with --ref, a job that there might be: asks the server")
    .option("--ref <ref>", "refs/heads/… or refs/tags/…", gitRef)
    .option("--audience <audience>", "the token's audience (with --job: any that it had; with --ref: the issuer)")
    .addOption(
      new Option("--subject <form>", "the token's form of subject, with --job or --ref").choices([
        "semaphore",
        "sub127",
        "id",
      ]),
    )
    .addOption(
      new Option("--aws-tag <claim>", "with --ref: a claim that is an AWS session tag too; repeatable").argParser(
        collectOf(AwsTagClaim.options),
      ),
    )
    .action(async (file: string, options: ExplainOptions) => {
      refuseMixed(file, options);
      const policy = await readPolicy(cli, file);
      const explanation = await explained(cli, { file, policy }, options);
      if (cli.globals().json) cli.output.json(explanation);
      else showExplanation(cli.output, explanation);
      if (explanation.verdict !== "accepted") cli.setExitCode(exitCodes.failed);
    });
}

interface Policy {
  readonly file: string;
  readonly policy: string;
}

async function explained(cli: Cli, { file, policy }: Policy, options: ExplainOptions): Promise<TrustExplanation> {
  const { cloud, job, jti, project, ref, audience, subject, awsTag } = options;
  const chosen = { ...(audience !== undefined && { audience }), ...(subject !== undefined && { subject }) };
  if (job !== undefined) {
    const { client } = await connect(cli);
    const token = { job_id: job, ...chosen, ...(jti !== undefined && { jti }) };
    return await client.trust.explain({ cloud, policy, token });
  }
  if (project !== undefined && ref !== undefined) {
    const { client } = await connect(cli);
    const { id } = await findProject(client, project);
    const token = { project_id: id, ref, ...chosen, ...(awsTag !== undefined && { aws_session_tags: awsTag }) };
    return await client.trust.explain({ cloud, policy, token });
  }
  const claims = await tokenClaims(cli, options);
  return readable(() => explainTrust(cloud, policy, claims, Math.floor(Date.now() / 1000)), file);
}

/** What would be passed over is refused: an answer to another question is worse than none. */
function refuseMixed(file: string, { job, jti, project, ref, jwt, claims, audience, subject, awsTag }: ExplainOptions) {
  if ((project === undefined) !== (ref === undefined)) throw new UsageError("--project and --ref go together");
  const sources = [jwt, claims, job, ref].filter((source) => source !== undefined).length;
  if (sources > 1) throw new UsageError("one token is explained: give one of --jwt, --claims, --job, and --ref");
  if (jti !== undefined && job === undefined) throw new UsageError("--jti goes with --job");
  if (awsTag !== undefined && ref === undefined) throw new UsageError("--aws-tag goes with --ref");
  const isAsked = job !== undefined || ref !== undefined;
  if (!isAsked && (audience ?? subject) !== undefined) {
    throw new UsageError("--audience and --subject go with --job or --ref: a token has its own");
  }
  if (file === "-" && (jwt === "-" || claims === "-")) {
    throw new UsageError("standard input holds the policy or the token: give a file for one of them");
  }
}

const looksLikeToken = /^e[\w-]+\.[\w-]+\.[\w-]*$/;

async function tokenClaims(cli: Cli, { jwt, claims }: ExplainOptions): Promise<TokenClaims> {
  if (claims !== undefined) {
    const parsed = TokenClaims.safeParse(await readJson(cli, claims));
    if (!parsed.success) throw new UsageError(`${claims} holds no JSON object`);
    return parsed.data;
  }
  // Not read as a file, whose name the refusal would repeat: a token is a secret while it lives.
  if (jwt !== undefined && looksLikeToken.test(jwt)) {
    throw new UsageError("--jwt: that is a token; give the file that holds it, or - and the token by standard input");
  }
  const token = jwt === undefined ? cli.env.SEMAPHORE_OIDC_TOKEN : await readInput(cli, jwt);
  if (!token) throw new UsageError("no token: give --jwt, --claims, --job, or --project and --ref");
  return readable(() => claimsOfJwt(token));
}
