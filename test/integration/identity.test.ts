/** The identity token: what it claims, what is published to check it by, and that four foreign libraries agree. */
import { createHash, createHmac, createPublicKey, generateKeyPairSync, randomUUID } from "node:crypto";
import { JwtVerifier } from "aws-jwt-verify";
import { createVerifier } from "fast-jwt";
import jwt from "jsonwebtoken";
import jwksRsa from "jwks-rsa";
import * as openid from "openid-client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DiscoveryDocument, IdentityClaims, PublicJwk } from "../../src/protocol/identity.ts";
import { call, createWorld, envOf, fetchJob, finishJob, sha, takeJob, type World } from "../support/api.ts";
import { everyRoute } from "../support/every-route.ts";
import { defaultVars, type Harness, issuer, newSigningKey, startHarness } from "../support/harness.ts";

let harness: Harness;
let world: World;
let agent: string;
let token: string;

beforeAll(async () => {
  harness = await startHarness();
  world = await createWorld(harness);
  agent = await world.agent();
  token = (await mint()).token;
});
afterAll(() => harness.close());

/** Runs a job on this ref and answers the token that it was handed, with the job as people see it. */
async function mint(over: Record<string, unknown> = {}) {
  const jobId = await world.startJob(over);
  const { request } = await takeJob(world, agent);
  const job = (await world.as(world.owner, "GET", `/api/v1/jobs/${jobId}`)).body;
  await finishJob(world, agent, jobId);
  return { token: envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "", job, request };
}

const partOf = (jws: string, part: 0 | 1) =>
  JSON.parse(Buffer.from(jws.split(".")[part] ?? "", "base64url").toString());

const wellKnown = (name: string, headers?: Record<string, string>, method = "GET") =>
  call(harness, null, method, `/.well-known/${name}`, undefined, headers);

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** As a relying party does it: the keys from the served key set, by the kid of the header. */
async function byJsonwebtoken(jws: string): Promise<jwt.JwtPayload> {
  const keys = jwksRsa({ jwksUri: new URL("/.well-known/jwks.json", harness.url).href, cache: false });
  const header = jwt.decode(jws, { complete: true })?.header;
  if (header === undefined) throw new Error("not a JWT");
  const key = await keys.getSigningKey(header.kid);
  return jwt.verify(jws, key.getPublicKey(), { algorithms: ["RS256"], issuer, audience: issuer }) as jwt.JwtPayload;
}

async function byAws(jws: string) {
  const verifier = JwtVerifier.create({ issuer, audience: issuer, jwksUri: `${issuer}/.well-known/jwks.json` });
  verifier.cacheJwks((await wellKnown("jwks.json")).body);
  return verifier.verify(jws);
}

async function byFastJwt(jws: string) {
  const { keys } = (await wellKnown("jwks.json")).body;
  const key = async ({ header }: { header: { kid?: string } }) => {
    const jwk = keys.find(({ kid }: { kid: string }) => kid === header.kid);
    if (jwk === undefined) throw new Error("unknown kid");
    return createPublicKey({ key: jwk, format: "jwk" }).export({ type: "spki", format: "pem" }).toString();
  };
  const verify = createVerifier({ key, algorithms: ["RS256"], allowedIss: issuer, allowedAud: issuer });
  return (await verify(jws)) as Record<string, unknown>;
}

/** As a certified client takes an ID token: our discovery document and keys, the token from a token endpoint. */
async function byOpenidClient(jws: string) {
  const metadata = { ...(await wellKnown("openid-configuration")).body, token_endpoint: `${issuer}/token` };
  const config = new openid.Configuration(metadata, issuer, undefined, openid.None());
  config[openid.customFetch] = async (url) => {
    if (!url.endsWith("/token")) return harness.fetch(new URL(url).pathname);
    return Response.json({ access_token: "x", token_type: "Bearer", id_token: jws });
  };
  openid.allowInsecureRequests(config);
  openid.enableNonRepudiationChecks(config);
  return (await openid.refreshTokenGrant(config, "x")).claims();
}

const libraries = [
  ["jsonwebtoken with jwks-rsa", byJsonwebtoken],
  ["aws-jwt-verify", byAws],
  ["fast-jwt", byFastJwt],
  ["openid-client", byOpenidClient],
] as const;

describe("the claims", () => {
  it("of a job on a branch are all there, and each is true", async () => {
    const minted = await mint({ ref: "refs/heads/main", time_limit_seconds: 600 });
    const claims = IdentityClaims.strict().parse(partOf(minted.token, 1));
    const { body: me } = await world.as(world.owner, "GET", "/api/v1/whoami");
    expect(claims).toEqual({
      iss: issuer,
      aud: issuer,
      sub: `org:acme:project:${world.projectId}:repo:web:ref_type:branch:ref:refs/heads/main`,
      sub127: `acme:${world.projectId}:web:br:heads/main`,
      iat: claims.iat,
      nbf: claims.iat - 5,
      exp: claims.iat + 600,
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      branch: "main",
      tag: "",
      pr: "",
      pr_number: "",
      pr_branch: "",
      ref: "refs/heads/main",
      ref_type: "branch",
      ref_protected: "true",
      sha,
      fork: "false",
      repo: "web",
      repo_slug: "acme/web",
      prj: "web",
      prj_id: world.projectId,
      org: "acme",
      org_id: me.organization.id,
      wf_id: minted.job.workflow_id,
      ppl_id: minted.job.pipeline_id,
      job_id: minted.job.id,
      job_type: "pipeline_job",
      trg: "api",
      proof: "api",
      actor: me.token.id,
      environment: "",
      runner_environment: "self-hosted",
    });
    expect(Math.abs(claims.iat - Date.now() / 1000)).toBeLessThan(60);
    expect(partOf(minted.token, 0)).toEqual({ alg: "RS256", typ: "JWT", kid: expect.any(String) });
  });

  it("of a job on a tag name the tag and no branch", async () => {
    const claims = partOf((await mint({ ref: "refs/tags/v1.0.0" })).token, 1);
    expect(claims).toMatchObject({
      tag: "v1.0.0",
      branch: "",
      ref: "refs/tags/v1.0.0",
      ref_type: "tag",
      ref_protected: "false",
    });
    expect(claims.sub).toBe(`org:acme:project:${world.projectId}:repo:web:ref_type:tag:ref:refs/tags/v1.0.0`);
  });

  it("of a tag that is named like a branch cannot pass for it", async () => {
    const [branch, tag] = [partOf(token, 1), partOf((await mint({ ref: "refs/tags/main" })).token, 1)];
    expect(tag.branch).toBe("");
    expect([tag.sub === branch.sub, tag.sub127 === branch.sub127]).toEqual([false, false]);
  });

  it("hold a subject in ASCII, of 255 characters at most, that no other ref gets", async () => {
    const long = `refs/heads/${"a".repeat(250)}`;
    const subjects: string[] = [];
    for (const ref of [long, `${long}b`, "refs/heads/é%", "refs/heads/%C3%A9%25"]) {
      const { sub, sub127 } = partOf((await mint({ ref })).token, 1);
      expect(sub).toMatch(/^[\x21-\x7e]{1,255}$/);
      expect(sub127).toMatch(/^[\x21-\x7e]{1,127}$/);
      subjects.push(sub, sub127);
    }
    expect(new Set(subjects).size).toBe(subjects.length);
    expect(subjects[0]).toMatch(/~[a-z2-7]{26}$/);
    expect(subjects[4]).toMatch(/:ref:refs\/heads\/%C3%A9%25$/);
  });

  it("live one hour at most, and as long as the job may where that is shorter", async () => {
    const settings = (job_time_limit_seconds: number) =>
      world.as(world.owner, "PATCH", `/api/v1/projects/${world.projectId}`, { job_time_limit_seconds });
    await settings(86_400);
    const { exp, iat } = partOf((await mint({ time_limit_seconds: 86_400 })).token, 1);
    expect(exp - iat).toBe(3600);
    const short = partOf((await mint({ time_limit_seconds: 10 })).token, 1);
    expect(short.exp - short.iat).toBe(10);
    await settings(3600);
  });

  it("are in the ledger but for the token itself: who, when, for whom", async () => {
    const { token: minted, job } = await mint();
    const { jti, iat, exp, sub } = partOf(minted, 1);
    const { body, text } = await world.as(world.owner, "GET", `/api/v1/jobs/${job.id}/identity`);
    expect(body).toEqual({
      items: [
        {
          jti,
          sub,
          kid: partOf(minted, 0).kid,
          aud: issuer,
          issued_at: new Date(iat * 1000).toISOString(),
          expires_at: new Date(exp * 1000).toISOString(),
          agent_id: job.agent.id,
          claim_number: 1,
        },
      ],
      next: null,
    });
    expect(text).not.toContain(minted.split(".")[2]);
  });
});

describe("the public documents", () => {
  const cacheControl = "public, max-age=300, stale-while-revalidate=600, stale-if-error=3600";

  it("say what Discovery asks for: the issuer as it is, where the keys are, RS256 alone, every claim", async () => {
    const { body, headers, status } = await wellKnown("openid-configuration");
    expect(status).toBe(200);
    expect(DiscoveryDocument.strict().parse(body)).toEqual({
      issuer,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      response_types_supported: ["id_token"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
      scopes_supported: ["openid"],
      claims_supported: expect.arrayContaining(Object.keys(partOf(token, 1))),
    });
    // Session tags are in a token that asks for them, and in no other.
    const others = body.claims_supported.filter((name: string) => !(name in partOf(token, 1)));
    expect(others).toEqual(["https://aws.amazon.com/tags"]);
    expect(headers.get("content-type")).toContain("application/json");
  });

  it("hold of each key its public members and nothing else, its thumbprint as kid", async () => {
    const { body, text } = await wellKnown("jwks.json");
    expect(Object.keys(body)).toEqual(["keys"]);
    const [key] = body.keys;
    expect(Object.keys(PublicJwk.parse(key)).toSorted()).toEqual(["alg", "e", "kid", "kty", "n", "use"]);
    const thumbprint = createHash("sha256").update(JSON.stringify({ e: key.e, kty: key.kty, n: key.n }));
    expect(key.kid).toBe(thumbprint.digest("base64url"));
    expect(key.kid).toBe(partOf(token, 0).kid);
    const secret = JSON.parse(defaultVars.SIGNING_KEY_1);
    for (const member of ["d", "p", "q", "dp", "dq", "qi"]) expect(text).not.toContain(secret[member]);
    expect(text).not.toContain("activates_at");
  });

  it("are the same under all their names, whatever the query, and open to every origin", async () => {
    const { text } = await wellKnown("jwks.json");
    for (const name of ["jwks", "jwts", "jwks.json?x=1", "jwks.json?issuer=https://evil.example", "jwts?"]) {
      const answer = await wellKnown(name, { origin: "https://elsewhere.example" });
      expect([name, answer.status, answer.text]).toEqual([name, 200, text]);
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
      expect(answer.headers.get("cache-control")).toBe(cacheControl);
    }
  });

  it("are no less open in one header than in another, also as 304, and nothing else is", async () => {
    const policyOf = ({ headers }: { headers: Headers }) => headers.get("cross-origin-resource-policy");
    for (const name of ["openid-configuration", "jwks.json", "jwks", "jwts"]) {
      const whole = await wellKnown(name);
      const unchanged = await wellKnown(name, { "if-none-match": "*" });
      expect([name, policyOf(whole), policyOf(unchanged)]).toEqual([name, "cross-origin", "cross-origin"]);
    }
    const path = "/.well-known/nothing";
    expect(policyOf(await call(harness, null, "GET", path))).toBe("same-origin");
  });

  it("depend on no host, no credential and no cookie", async () => {
    const { text } = await wellKnown("openid-configuration");
    const hosts = ["https://evil.example", "http://localhost:8080", "https://ci.example.com"];
    for (const host of hosts) {
      const answer = await call(harness, "garbage", "GET", `${host}/.well-known/openid-configuration`, undefined, {
        "x-forwarded-host": "evil.example",
        forwarded: "host=evil.example",
        cookie: "a=b",
      });
      expect([host, answer.text]).toEqual([host, text]);
    }
  });

  it.each(["openid-configuration", "jwks.json"])("answer 304 to who has %s, and HEAD without a body", async (name) => {
    const whole = await wellKnown(name);
    const etag = whole.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[\w-]+"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const answer = await wellKnown(name, { "if-none-match": known });
      expect([known, answer.status, answer.text]).toEqual([known, 304, ""]);
      expect(answer.headers.get("etag")).toBe(etag);
      expect(answer.headers.get("cache-control")).toBe(cacheControl);
    }
    expect((await wellKnown(name, { "if-none-match": '"other"' })).status).toBe(200);
    const head = await wellKnown(name, {}, "HEAD");
    expect([head.status, head.text, head.headers.get("etag")]).toEqual([200, "", etag]);
  });

  it("are not at the root, nor below other names", async () => {
    for (const path of ["/jwks.json", "/jwks", "/openid-configuration", "/.well-known/", "/.well-known/jwks.json/x"]) {
      expect([path, (await call(harness, null, "GET", path)).status]).toEqual([path, 404]);
    }
  });

  it("are the only answers that anybody may cache", async () => {
    const routes = everyRoute();
    for (const route of routes) {
      const path = route.path.replaceAll(/:\w+/g, randomUUID());
      for (const asker of [null, world.owner]) {
        for (const method of route.method === "GET" ? ["GET", "HEAD"] : [route.method]) {
          const answer = await world.as(asker, method, path, method === "POST" ? {} : undefined);
          const wanted = path.startsWith("/.well-known/") ? cacheControl : "no-store";
          expect([method, path, answer.headers.get("cache-control")]).toEqual([method, path, wanted]);
        }
      }
    }
  });
});

describe.each(libraries)("%s", (_, verify) => {
  it("takes the token as it is", async () => {
    expect(await verify(token)).toMatchObject({ iss: issuer, repo: "web", prj_id: world.projectId });
  });

  it("refuses it with any one byte changed, in header, payload and signature", async () => {
    const parts = token.split(".").map((part) => Buffer.from(part, "base64url"));
    for (const [at, part] of parts.entries()) {
      for (const place of [
        0,
        1,
        Math.floor(part.length / 3),
        Math.floor(part.length / 2),
        part.length - 2,
        part.length - 1,
      ]) {
        const changed = Buffer.from(part);
        changed[place] = (changed[place] ?? 0) ^ 1;
        const altered = parts.map((other, which) => (which === at ? changed : other).toString("base64url")).join(".");
        expect(altered).not.toBe(token);
        await expect(verify(altered), `part ${at}, byte ${place}`).rejects.toThrow();
      }
    }
  });

  it("refuses it without its signature, with another header's algorithm, and signed with the public key", async () => {
    const [header, payload, signature] = token.split(".") as [string, string, string];
    const { kid } = partOf(token, 0);
    const [key] = (await wellKnown("jwks.json")).body.keys;
    const publicPem = createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" });
    const hs256 = encoded({ alg: "HS256", typ: "JWT", kid });
    const mac = createHmac("sha256", publicPem).update(`${hs256}.${payload}`).digest("base64url");
    const forgeries = [
      `${header}.${payload}.`,
      `${encoded({ alg: "none", typ: "JWT", kid })}.${payload}.`,
      `${encoded({ alg: "none", typ: "JWT", kid })}.${payload}.${signature}`,
      `${encoded({ alg: "RS384", typ: "JWT", kid })}.${payload}.${signature}`,
      `${hs256}.${payload}.${mac}`,
      `${header}.${encoded({ ...partOf(token, 1), branch: "other" })}.${signature}`,
    ];
    for (const forged of forgeries) await expect(verify(forged)).rejects.toThrow();
  });

  it("refuses what another key signed, under our kid and under its own", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    for (const keyid of [partOf(token, 0).kid, "stranger"]) {
      const forged = jwt.sign(partOf(token, 1), privateKey, { algorithm: "RS256", keyid });
      await expect(verify(forged)).rejects.toThrow();
    }
  });
});

describe("two signing keys", () => {
  it("are both published, the active one first; a token of either is taken; a repeated fetch keeps its kid", async () => {
    const jobId = await world.startJob();
    const before = await takeJob(world, agent);
    const first = envOf(before.request, "SEMAPHORE_OIDC_TOKEN") ?? "";
    await harness.deploy({ SIGNING_KEY_2: newSigningKey(1_700_000_000) });
    const { keys } = (await wellKnown("jwks.json")).body;
    expect(keys).toHaveLength(2);
    expect(keys[1].kid).toBe(partOf(first, 0).kid);
    const again = await fetchJob(world, agent, jobId);
    expect(envOf(again.body, "SEMAPHORE_OIDC_TOKEN")).toBe(first);
    await finishJob(world, agent, jobId);
    const second = (await mint()).token;
    expect(partOf(second, 0).kid).toBe(keys[0].kid);
    for (const [, verify] of libraries) {
      for (const minted of [first, second]) expect(await verify(minted)).toMatchObject({ iss: issuer });
    }
  });

  it("are published ahead: one that is yet to be activated signs nothing", async () => {
    await harness.deploy({ SIGNING_KEY_2: newSigningKey(Math.floor(Date.now() / 1000) + 86_400) });
    const { keys } = (await wellKnown("jwks.json")).body;
    expect(keys).toHaveLength(2);
    const { kid } = partOf((await mint()).token, 0);
    expect([kid, keys[0].kid]).toEqual([partOf(token, 0).kid, partOf(token, 0).kid]);
  });
});
