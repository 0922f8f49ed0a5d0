/**
 * Minting as the request for a token does it, and the least that could take its place: a bare RS256 signature over as
 * many bytes, with the same two inserts or without. `/bench/NAME?count=N` repeats one of them; other paths are the real
 * Worker's.
 */
import { auditRow } from "../../src/worker/audit/audit.ts";
import { insertAudit } from "../../src/worker/audit/audit-store.ts";
import { activeKey } from "../../src/worker/crypto/signing.ts";
import { type Env, readConfig } from "../../src/worker/env.ts";
import { createIssuer, type SignedIdentity } from "../../src/worker/identity/issuer.ts";
import { recordMint } from "../../src/worker/identity/token-requests-store.ts";
import worker from "../../src/worker/index.ts";
import { systemRandom, utf8 } from "../../src/worker/lib/bytes.ts";
import { systemClock, toSeconds } from "../../src/worker/lib/time.ts";
import { bareInsert, context, granted, maskKeyId, seedJob } from "./job.ts";

export { LogRoom } from "../../src/worker/index.ts";

type Work = () => Promise<unknown>;

async function worksOf(env: Env): Promise<Record<string, Work>> {
  const { signing } = await readConfig(env);
  const key = activeKey(signing.keys, toSeconds(systemClock()));
  if (key === null) throw new Error("the bench needs SIGNING_KEY_1");
  const issuer = createIssuer({ signing, clock: systemClock, random: systemRandom });
  const mint = () => issuer.mintAsked(context, granted);
  const sample = await mint();
  const input = utf8(sample.token.slice(0, sample.token.lastIndexOf(".")));
  const sign = () => crypto.subtle.sign("RSASSA-PKCS1-v1_5", key.privateKey, input);
  const audit = await auditOf(sample);
  return {
    // A job has 300 mints, and the guard counts them: every measurement begins with none.
    clear: () => env.DB.prepare("DELETE FROM identity_ledger").run(),
    seed: () => seedJob(env.DB),
    mint,
    sign,
    async record() {
      const signed = await mint();
      await recordMint(env.DB, rowOf(signed), maskKeyId, await auditOf(signed));
    },
    async insert() {
      await sign();
      const row = { ...rowOf(sample), jti: crypto.randomUUID() };
      await env.DB.batch([insertAudit(env.DB, audit), bareInsert(env.DB, row)]);
    },
  };
}

const rowOf = ({ mint, sub }: SignedIdentity) => ({
  ...mint,
  sub,
  jobId: context.jobId,
  claimNumber: 1,
  agentId: "agent",
});

function auditOf({ mint: { jti, kid, aud }, sub }: SignedIdentity) {
  const principal = { kind: "agent", id: "agent" } as const;
  const details = {
    jti,
    kid,
    aud,
    sub,
    life_seconds: granted.lifeSeconds,
    subject: granted.subject,
    tags: "",
    claims: "all",
  };
  const about = { projectId: context.project.id, jobId: context.jobId };
  return auditRow({ action: "identity.mint", principal, ...about, details }, systemClock());
}

export default {
  async fetch(request, env) {
    const { pathname, searchParams } = new URL(request.url);
    if (!pathname.startsWith("/bench/")) return worker.fetch(request, env);
    const work = (await worksOf(env))[pathname.slice("/bench/".length)];
    if (work === undefined) return new Response(null, { status: 404 });
    for (let done = 0; done < Number(searchParams.get("count")); done++) await work();
    return new Response(null);
  },
} satisfies ExportedHandler<Env>;
