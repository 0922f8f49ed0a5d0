import { expect, test } from "vitest";
import { JobSpec } from "../../../../src/protocol/jobs.ts";
import type { Sealer } from "../../../../src/worker/crypto/sealer.ts";
import { open, seal } from "../../../../src/worker/crypto/sealing.ts";
import { openSpec, sealSpec } from "../../../../src/worker/jobs/job-spec.ts";
import { systemRandom } from "../../../../src/worker/lib/bytes.ts";
import { sealingKeyOf } from "../crypto/sealing-keys.ts";
import { faultOf, idOf } from "../fixtures.ts";

const key = await sealingKeyOf(1);
const sealer = {
  seal: (plaintext, context) => seal(key, plaintext, context, systemRandom),
  open: (record, context) => open(key, record, context),
} as Pick<Sealer, "seal" | "open"> as Sealer;

const job = { id: idOf(1), project_id: idOf(2) };
const spec = JobSpec.parse({ commands: ["echo ä"], env: [{ name: "A", value: "geheim", secret: true }] });

test("a job's specification rests sealed, and opens for its job", async () => {
  const sealed = await sealSpec(sealer, job, spec);
  expect(Buffer.from(sealed).includes("geheim")).toBe(false);
  expect(await openSpec(sealer, job, sealed)).toEqual(spec);
});

test("a specification moved to another job or project does not open", async () => {
  const sealed = await sealSpec(sealer, job, spec);
  for (const other of [
    { ...job, id: idOf(3) },
    { ...job, project_id: idOf(3) },
    { id: idOf(2), project_id: idOf(1) },
  ]) {
    expect(await faultOf(() => openSpec(sealer, other, sealed))).toMatchObject({ code: "sealed_unreadable" });
  }
});
