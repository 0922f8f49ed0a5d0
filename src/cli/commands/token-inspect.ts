/** `signalbox token inspect`: what an identity token says, and whether its issuer's keys agree. */
import { type Command, Option } from "commander";
import { type Cli, readInput } from "../context.ts";
import { exitCodes, UsageError } from "../exit.ts";
import { type DecodedToken, decodeToken, type Verdict, verifyToken } from "../identity-check.ts";
import { instant } from "../instant.ts";

interface Options {
  issuer?: string;
  audience?: string;
  offline?: boolean;
}

/** What was found out; `unchecked` where nothing was to be. */
type Finding = Verdict | { kind: "unchecked" };

const timeClaims = ["iat", "nbf", "exp"];

export function addInspectCommand(token: Command, cli: Cli): void {
  token
    .command("inspect")
    .description("an identity token's header and claims, verified against its issuer's published keys")
    .argument("[file]", "file that holds it, - for standard input (default: SEMAPHORE_OIDC_TOKEN)")
    .option("--issuer <url>", "the issuer that it must be from (default: the one that it names)")
    .option("--audience <audience>", "the audience that it must be for (default: not checked)")
    .addOption(new Option("--offline", "decode alone, verify nothing").conflicts(["issuer", "audience"]))
    .addHelpText(
      "after",
      "\nExits 1 where it is refused, 3 where the issuer cannot be reached and nothing is verified.",
    )
    .action(async (file: string | undefined, options: Options) => {
      const text = (await tokenText(cli, file)).trim();
      const decoded = decodeToken(text);
      if (!decoded) throw new UsageError("this is no JWT");
      const verdict = await find(text, decoded, options);
      if (cli.globals().json) cli.output.json({ ...decoded, verdict });
      else show(cli, decoded, verdict, options.issuer !== undefined);
      if (verdict.kind === "refused") cli.setExitCode(exitCodes.failed);
      if (verdict.kind === "unreachable") cli.setExitCode(exitCodes.unreachable);
    });
}

async function find(text: string, decoded: DecodedToken, options: Options): Promise<Finding> {
  if (options.offline) return { kind: "unchecked" };
  const issuer = options.issuer ?? String(decoded.claims.iss ?? "");
  return await verifyToken(text, { issuer, audience: options.audience });
}

async function tokenText(cli: Cli, file: string | undefined): Promise<string> {
  if (file !== undefined) return await readInput(cli, file);
  const token = cli.env.SEMAPHORE_OIDC_TOKEN;
  if (!token) throw new UsageError("no token: name a file, or - for standard input, or set SEMAPHORE_OIDC_TOKEN");
  return token;
}

function show(cli: Cli, token: DecodedToken, verdict: Finding, issuerGiven: boolean): void {
  const now = Date.now() / 1000;
  cli.output.line("header");
  cli.output.table([], rowsOf(token.header, now));
  cli.output.line("claims");
  cli.output.table([], rowsOf(token.claims, now));
  if (verdict.kind === "verified") {
    cli.output.line(`verified: signed by key ${verdict.kid} of ${verdict.keysUrl}`);
    if (!issuerGiven) cli.output.note("The issuer is the token's own word: --issuer URL demands one.");
  } else if (verdict.kind === "refused") {
    cli.output.line(`refused: ${verdict.why}`);
  } else if (verdict.kind === "unchecked") {
    cli.output.line("not verified, as asked: whoever wrote it may have written anything");
  } else {
    cli.output.line(`not verified, the issuer cannot be reached: ${verdict.why}`);
  }
}

function rowsOf(members: Readonly<Record<string, unknown>>, now: number): string[][] {
  return Object.entries(members).map(([name, value]) => {
    const text = typeof value === "string" ? JSON.stringify(value) : String(JSON.stringify(value));
    const words = timeClaims.includes(name) && typeof value === "number" ? `  ${instant(value, now)}` : "";
    return ["", name, text + words];
  });
}
