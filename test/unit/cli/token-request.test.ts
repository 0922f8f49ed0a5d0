/** An identity token asked for inside a job, against an API that notes what it was asked. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eachTest } from "./fixtures.ts";
import { runCli } from "./support.ts";

const site = eachTest();
const path = "/api/v1/jobs/x/identity/token";

function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "RS256", typ: "JWT" })}.${part(claims)}.c2ln`;
}
const inJob = (url: string) => ({
  env: { SEMAPHORE_OIDC_REQUEST_URL: `${url}${path}?v=1`, SEMAPHORE_OIDC_REQUEST_TOKEN: "sbx_mac_x" },
});

test("Google's credential says until when it holds: a file is taken for one only then", async () => {
  const value = jwt({ iat: 1_000, exp: 4_600 });
  const { url } = await site.api({ [`POST ${path}`]: { value } });
  const { code, stdout } = await runCli(["token", "--format", "gcp"], inJob(url));
  expect([code, JSON.parse(stdout)]).toEqual([
    0,
    {
      version: 1,
      success: true,
      token_type: "urn:ietf:params:oauth:token-type:jwt",
      id_token: value,
      expiration_time: 4_600,
    },
  ]);
});

test("a file is kept fresh through an outage, told as such, until the server refuses for good", async () => {
  const file = join(site.folder(), "token");
  const second = jwt({ iat: 1_000, exp: 1_001, jti: "second" });
  // The fourth failure in a row is the last that one request bears; nothing at all is no token, and ends it.
  const answers = [{ value: jwt({ iat: 1_000, exp: 1_001 }) }, ...Array(5).fill(undefined), { value: second }, {}];
  const { url } = await site.api({ [`POST ${path}`]: () => answers.shift() }, 503);
  const { code, stderr } = await runCli(["token", "--refresh", file], inJob(url));
  expect([code, answers, await readFile(file, "utf8")]).toEqual([1, [], `${second}\n`]);
  expect(stderr.match(/no new token yet/g)).toHaveLength(1);
}, 20_000);

test("a request token that is not accepted is called one", async () => {
  const { url } = await site.api({}, 401);
  const { code, stderr } = await runCli(["token"], inJob(url));
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining("the token from SEMAPHORE_OIDC_REQUEST_TOKEN was not accepted"),
  ]);
});
