/**
 * Run by the demo job: verifies its own identity token with jsonwebtoken and jwks-rsa, knowing only where the
 * issuer is. With `--altered` one byte of the token is changed first, and being refused is the success.
 */
import { decodeToken, verifyToken } from "../identity-check.ts";
import { altered } from "./altered-token.ts";

const token = process.env.SEMAPHORE_OIDC_TOKEN ?? "";
// Never from the token: whoever forges one would name an issuer of his own.
const issuer = process.env.SIGNALBOX_ISSUER ?? "";
const change = process.argv.includes("--altered");

process.exitCode = await run();

async function run(): Promise<number> {
  const verdict = await verifyToken(change ? altered(token) : token, { issuer, audience: issuer });
  if (verdict.kind === "unreachable") {
    console.log(`could not verify: ${verdict.why}`);
    return 1;
  }
  if (verdict.kind === "verified") {
    const subject = decodeToken(token)?.claims.sub;
    console.log(`${change ? "ACCEPTED although altered" : "verified"} by jsonwebtoken and jwks-rsa`);
    console.log(`  keys     ${verdict.keysUrl}`);
    console.log(`  key id   ${verdict.kid}`);
    console.log(`  subject  ${String(subject)}`);
    return change ? 1 : 0;
  }
  console.log(`refused${change ? ", as it must be" : ""}: ${verdict.why}`);
  return change ? 0 : 1;
}
