/**
 * Masking over event and push borders through the whole Worker: real masks, real rows, real evictions. After every
 * push all that the room keeps is searched for what was printed so far.
 */
import { generateKeyPairSync } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addKey, createWorld, envOf, jobStart, output, push, sync, takeJob, type World } from "../support/api.ts";
import { noticesOf } from "../support/at-rest.ts";
import { startHarness } from "../support/harness.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld(await startHarness());
});
afterAll(() => world.harness.close());

const pem = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs8", format: "pem" })
  .toString();
const password = "correct-horse/battery+staple";
const variable = "s3cr3t-€nv/välue 漢字";

/** A job that was handed a private key, a password, a secret variable and its tokens. */
class Running {
  jobId = "";
  agent = "";
  logToken = "";
  identityToken = "";
  position = 0;

  async start(name: string): Promise<this> {
    await addKey(world, `${name}-ssh`, { type: "ssh", login: "git", private_key: pem });
    await addKey(world, `${name}-password`, { type: "login_password", login: "deploy", password });
    const keys = [{ key: `${name}-ssh` }, { key: `${name}-password` }];
    const env = [{ name: "SECRET_ENV", value: variable, secret: true }];
    await world.startJob({ ...jobStart(), spec: { commands: ["true"], keys, env } });
    this.agent = await world.agent();
    const { jobId, logToken, request } = await takeJob(world, this.agent);
    await sync(world, this.agent, "running-job", jobId);
    this.identityToken = envOf(request, "SEMAPHORE_OIDC_TOKEN") ?? "";
    return Object.assign(this, { jobId, logToken });
  }

  async push(...events: unknown[]): Promise<void> {
    expect((await push(world, this.logToken, this.jobId, this.position, events)).status).toBe(200);
    this.position += events.length;
  }

  async finish(): Promise<void> {
    await sync(world, this.agent, "finished-job", this.jobId, "passed");
  }

  evict(): Promise<void> {
    return world.harness.evictRoom(this.jobId, "close");
  }

  /** Everything in the room's SQL, as text; bytes as they are. */
  async dump(): Promise<string> {
    const parts: string[] = [];
    for (const table of ["room", "masks", "carry", "records"]) {
      const rows = await world.harness.roomRows(this.jobId, `SELECT * FROM ${table}`);
      const values = rows.flatMap((row) => Object.values(row as Record<string, unknown>));
      parts.push(...values.map((value) => (isBytes(value) ? Buffer.from(value).toString() : String(value))));
    }
    return parts.join("\n");
  }

  async events(): Promise<{ event: string; output?: string; timestamp: number }[]> {
    const page = await world.as(world.owner, "GET", `/api/v1/logs/${this.jobId}?token=0`);
    return page.body.events;
  }

  async text(): Promise<string> {
    return (await world.as(world.owner, "GET", `/api/v1/logs/${this.jobId}?raw=true`)).text;
  }
}

function isBytes(value: unknown): value is ArrayBuffer {
  return value instanceof ArrayBuffer || ArrayBuffer.isView(value) || Array.isArray(value);
}

/** Cut as the official agent cuts: at most 100 bytes an event, never inside a character (AGENT-PROTOCOL 5.2). */
function chunks(text: string, bytesMax = 100): string[] {
  const cut = [""];
  for (const char of text) {
    const last = cut.at(-1) ?? "";
    if (Buffer.byteLength(last + char) > bytesMax) cut.push(char);
    else cut[cut.length - 1] = last + char;
  }
  return cut;
}

/** What no dump may hold: the secret, and any long enough piece of it. */
function piecesOf(secret: string, length = 16): string[] {
  return Array.from({ length: Math.max(1, secret.length - length + 1) }, (_, at) => secret.slice(at, at + length));
}

const started = (directive: string) => ({ event: "cmd_started", timestamp: 1, directive });
const finished = (directive: string) => ({
  event: "cmd_finished",
  timestamp: 2,
  directive,
  exit_code: 0,
  started_at: 1,
  finished_at: 2,
});

describe("secrets in events of 100 bytes", () => {
  it("never lie in the room, however pushes and evictions cut them, and what stands around them stays", async () => {
    const job = await new Running().start("chunked");
    expect(job.identityToken.length).toBeGreaterThan(800);
    const basic = Buffer.from(`deploy:${password}`).toString("base64");
    const secrets: [string, string][] = [
      [`token ${job.identityToken} end\n`, "token *** end\n"],
      [`password ${password}, again ${password}\n`, "password ***, again ***\n"],
      // What encodes the name before it, the base64 of "deploy:" but for the character that both share, is no secret.
      [`Authorization: Basic ${basic}\n`, `Authorization: Basic ${basic.slice(0, 10)}***`],
      [`env ${variable} hex ${Buffer.from(variable).toString("hex")}\n`, "env *** hex ***\n"],
      [`log ${job.logToken} end\n`, "log *** end\n"],
    ];
    await job.push(started("cat secrets"));
    let printed = "";
    for (const [text, shown] of secrets) {
      for (const chunk of chunks(text)) {
        await job.push(output(chunk));
        const dump = await job.dump();
        for (const secret of [job.identityToken, job.logToken, password, variable, basic.slice(12)]) {
          for (const piece of piecesOf(secret))
            expect(dump.includes(piece), "a secret's piece in the room").toBe(false);
        }
        if (job.position % 5 === 0) await job.evict();
      }
      printed += shown;
    }
    await job.push(finished("cat secrets"));
    const told = (await job.text()).replace(/\*\*\*[\w=]{0,4}\nenv/, "***env");
    expect(told).toBe(`cat secrets\n${printed}`);
    const events = await job.events();
    expect(events.length).toBe(job.position);
    // The token went over many events: one mark, and every event inside keeps its place, empty.
    const inside = chunks(secrets[0]?.[0] ?? "").length - 2;
    expect(events.slice(1, inside + 2).map((event) => event.output)).toEqual([
      "token ",
      ...Array(inside - 1).fill(""),
      expect.anything(),
    ]);
    await job.finish();
  });

  it("printed as a key in its lines, with either line end, are gone but for the armour", async () => {
    const job = await new Running().start("pem");
    for (const text of [pem, pem.replaceAll("\n", "\r\n")]) {
      const from = job.position;
      await job.push(started("cat key"));
      const parts = chunks(text);
      for (let at = 0; at < parts.length; at += 4) {
        await job.push(...parts.slice(at, at + 4).map(output));
        const dump = await job.dump();
        for (const line of pem.split("\n").slice(1, -2)) {
          for (const piece of piecesOf(line)) expect(dump.includes(piece), "a key's piece in the room").toBe(false);
        }
        await job.evict();
      }
      await job.push(finished("cat key"));
      const page = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?token=${from}`);
      const told = page.body.events.map((event: { output?: string }) => event.output ?? "").join("");
      expect(told.trim()).toBe("***");
    }
    await job.finish();
  });
});

describe("output that might have gone on to be a secret", () => {
  it("is shown once the command ends without one, in the ending event", async () => {
    const job = await new Running().start("released");
    await job.push(started("printf"), output(`pass: ${password.slice(0, 12)}`));
    expect((await job.events()).at(-1)?.output).toBe("pass: ");
    await job.evict();
    await job.push(finished("printf"));
    expect((await job.events()).at(-1)).toEqual({ ...finished("printf"), output: password.slice(0, 12) });
    expect(await job.text()).toBe(`printf\npass: ${password.slice(0, 12)}`);
    await job.finish();
  });

  it("becomes a mark at a gap, and at the end of a log that ends in mid-command", async () => {
    const job = await new Running().start("cut-off");
    await job.push(started("print"), output(`one ${password.slice(0, 12)}`));
    job.position += 2;
    await job.push(output(" two"), output(`three ${password.slice(0, 9)}`));
    expect((await job.events()).map((event) => event.output)).toEqual([undefined, "one "]);
    const rest = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?token=4`);
    expect(rest.body.events.map((event: { output: string }) => event.output)).toEqual(["*** two", "three "]);
    await job.finish();
    expect(await noticesOf(world.harness, job.jobId)).toEqual([
      "The output ends in what may be the beginning of a secret: ***",
    ]);
    const dump = await job.dump();
    for (const piece of piecesOf(password, 8)) expect(dump).not.toContain(piece);
    expect(await world.harness.roomRows(job.jobId, "SELECT * FROM carry")).toEqual([]);
  });

  it("is found once, however often its events are sent again and in whatever batches", async () => {
    const job = await new Running().start("resent");
    const events = [started("print"), ...chunks(`x ${password} y ${variable} z\n`, 7).map(output), finished("print")];
    for (const [from, until] of [
      [0, 3],
      [0, 3],
      [1, 5],
      [5, 6],
      [4, 8],
      [8, 9],
      [0, 9],
      [3, events.length],
    ] as const) {
      expect((await push(world, job.logToken, job.jobId, from, events.slice(from, until))).status).toBe(200);
      if (from % 2 === 0) await job.evict();
    }
    expect(await job.text()).toBe("print\nx *** y *** z\n");
    expect((await job.events()).length).toBe(events.length);
    await job.finish();
  });
});
