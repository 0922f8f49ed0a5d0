/** Pushing, reading and watching a log through the whole Worker. */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { LogAssembler, type LogRecord } from "../../src/client/log-assembler.ts";
import { parseHeldKeys } from "../../src/worker/crypto/keyring.ts";
import { signMacToken } from "../../src/worker/crypto/mac-token.ts";
import type { EpochSeconds } from "../../src/worker/lib/time.ts";
import { createWorld, output, push, sync, takeJob, type World } from "../support/api.ts";
import { defaultVars, issuer, startHarness } from "../support/harness.ts";

let world: World;

beforeAll(async () => {
  world = await createWorld(await startHarness());
});
afterAll(() => world.harness.close());

interface Running {
  readonly jobId: string;
  readonly logToken: string;
  readonly agent: string;
}

async function runningJob(over: Record<string, unknown> = {}): Promise<Running> {
  const jobId = await world.startJob(over);
  const agent = await world.agent();
  const taken = await takeJob(world, agent);
  expect(taken.jobId).toBe(jobId);
  await sync(world, agent, "running-job", jobId);
  return { jobId, logToken: taken.logToken, agent };
}

async function finish({ jobId, agent }: Running, result = "passed"): Promise<void> {
  expect((await sync(world, agent, "finished-job", jobId, result)).body.action).toBe("wait-for-jobs");
}

const lines = (from: number, until: number) =>
  Array.from({ length: until - from }, (_, index) => output(`line ${from + index}\n`));
const textOf = (records: readonly LogRecord[]) =>
  records.map((record) => (record.kind === "event" ? (record.event.output ?? "event\n") : `${record.kind}\n`)).join("");

interface Watch {
  readonly records: LogRecord[];
  readonly status: number | null;
  readonly socket: WebSocket;
  until(text: string): Promise<void>;
}

/** Opens a viewer; `status` is the HTTP answer where the upgrade was refused. */
async function watch(
  query: string,
  { token = world.owner as string | null, protocols = ["signalbox.v1"], headers = {}, path = "/api/ws", from = 0 } = {},
): Promise<Watch> {
  const url = new URL(`${path}?${query}`, world.harness.url);
  const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
  const socket = new WebSocket(url.href, protocols, {
    perMessageDeflate: false,
    headers: { ...authorization, ...headers },
  });
  const records: LogRecord[] = [];
  const assembler = new LogAssembler(from);
  let received = 0;
  socket.on("message", (data: Buffer) => {
    received += data.length;
    records.push(...assembler.take(new Uint8Array(data)).records);
    socket.send(JSON.stringify({ ack: received }));
  });
  const status = await new Promise<number | null>((resolve, reject) => {
    socket.on("open", () => resolve(null));
    socket.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    socket.on("error", reject);
  });
  const until = async (text: string) => {
    const deadline = Date.now() + 8000;
    while (!textOf(records).endsWith(text)) {
      if (Date.now() > deadline) throw new Error(`the log never came to ${text}: ${textOf(records).slice(-200)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { records, status, socket, until };
}

describe("a push", () => {
  it("is answered 200 with an empty body, and stored once however often it is repeated", async () => {
    const job = await runningJob();
    for (const until of [3, 3, 5]) {
      const answer = await push(world, job.logToken, job.jobId, 0, lines(0, until));
      expect([answer.status, answer.text]).toEqual([200, ""]);
    }
    const page = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?token=0`);
    expect(page.body).toEqual({ events: lines(0, 5), next: 5 });
  });

  it("without the job's own log token is 401, and a room is not even made", async () => {
    const [job, other] = [await runningJob(), await runningJob()];
    const stranger = randomUUID();
    const { keys } = await parseHeldKeys([["ACCESS_KEY_ENCRYPTION", defaultVars.ACCESS_KEY_ENCRYPTION]]);
    const [key] = keys;
    if (key === undefined) throw new Error("the harness has no sealing key");
    const common = { jobId: job.jobId, agentId: stranger, claimNumber: 1 };
    const now = Math.floor(Date.now() / 1000);
    const expired = await signMacToken(key, {
      ...common,
      kind: "log",
      agentTypeId: world.agentTypeId,
      expiresAt: (now - 1) as EpochSeconds,
    });
    const ofAnotherKind = { ...common, kind: "identity_request", expiresAt: (now + 60) as EpochSeconds } as const;
    const forged = `${job.logToken.slice(0, -1)}${job.logToken.endsWith("A") ? "B" : "A"}`;
    for (const [token, jobId] of [
      [null, job.jobId],
      [forged, job.jobId],
      [expired, job.jobId],
      [await signMacToken(key, ofAnotherKind), job.jobId],
      [other.logToken, job.jobId],
      [job.logToken, stranger],
      [world.owner, job.jobId],
      [job.agent, job.jobId],
    ] as const) {
      const answer = await world.as(token, "POST", `/api/v1/logs/${jobId}?start_from=0`, "{}\n");
      expect(answer.status).toBe(401);
    }
    expect((await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}`)).body).toEqual({ events: [], next: 0 });
  });

  it("with a malformed start_from or body is 400, over the caps and to a closed log 422", async () => {
    const job = await runningJob();
    for (const query of ["", "?start_from=", "?start_from=-1", "?start_from=x", "?start_from=1.5"]) {
      expect((await world.as(job.logToken, "POST", `/api/v1/logs/${job.jobId}${query}`, "{}\n")).status).toBe(400);
    }
    expect((await world.as(job.logToken, "POST", `/api/v1/logs/${job.jobId}?start_from=0`, "<html>")).status).toBe(400);
    expect((await push(world, job.logToken, job.jobId, 0, lines(0, 2001))).status).toBe(422);
    expect((await push(world, job.logToken, job.jobId, 0, [output("a".repeat(17 * 1024 * 1024))])).status).toBe(422);
    await finish(job);
    expect((await push(world, job.logToken, job.jobId, 0, lines(0, 1))).status).toBe(422);
  });

  it("shows neither a secret variable nor the job's own tokens", async () => {
    const job = await runningJob({
      spec: { commands: ["env"], env: [{ name: "PASSWORD", value: "correct horse battery", secret: true }] },
    });
    const leaked = ["correct horse battery", Buffer.from("correct horse battery").toString("base64"), job.logToken];
    expect((await push(world, job.logToken, job.jobId, 0, leaked.map(output))).status).toBe(200);
    const { text } = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?raw=true`);
    expect(text).toMatch(/^(?:\*\*\*\w?=*){3}$/);
    const rows = await world.harness.roomRows(job.jobId, "SELECT hex(body) AS body FROM records");
    expect(Buffer.from(JSON.stringify(rows)).toString()).not.toContain(
      Buffer.from("battery").toString("hex").toUpperCase(),
    );
  });
});

describe("a plain read", () => {
  it("goes on from next, ends with null, and gives text with raw=true", async () => {
    const job = await runningJob();
    const events = [
      { event: "job_started", timestamp: 1 },
      { event: "cmd_started", timestamp: 1, directive: "echo hi" },
      output("hi\n"),
      { event: "cmd_finished", timestamp: 2, directive: "echo hi", exit_code: 0, started_at: 1, finished_at: 2 },
      { event: "job_finished", timestamp: 2, result: "passed" },
    ];
    await push(world, job.logToken, job.jobId, 0, events);
    const read = (query: string) => world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}${query}`);
    expect((await read("?token=2")).body).toEqual({ events: events.slice(2), next: 5 });
    expect((await read("?token=5")).body).toEqual({ events: [], next: 5 });
    await finish(job);
    expect((await read("?token=5")).body).toEqual({ events: [], next: null });
    expect((await read("")).body).toEqual({ events, next: null });
    expect((await read("?raw=true")).text).toBe("echo hi\nhi\n");
    expect((await read("?token=-1")).status).toBe(400);
  });

  it("of a log of many pages is whole as text", async () => {
    const job = await runningJob();
    const wide = (at: number) => output(`${at} ${"x".repeat(20_000)}\n`);
    for (let at = 0; at < 600; at += 200) {
      const batch = Array.from({ length: 200 }, (_, index) => wide(at + index));
      expect((await push(world, job.logToken, job.jobId, at, batch)).status).toBe(200);
    }
    const { text } = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?raw=true`);
    expect(text === Array.from({ length: 600 }, (_, at) => wide(at).output).join("")).toBe(true);
    let [next, count] = [0 as number, 0];
    for (let pages = 0; pages < 9; pages++) {
      const { body } = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?token=${next}`);
      count += body.events.length;
      next = body.next;
    }
    expect([next, count]).toEqual([600, 600]);
  });

  it("as text goes on behind a gap", async () => {
    const job = await runningJob();
    await push(world, job.logToken, job.jobId, 0, lines(0, 2));
    await push(world, job.logToken, job.jobId, 4, lines(4, 6));
    const { text } = await world.as(world.owner, "GET", `/api/v1/logs/${job.jobId}?raw=true`);
    expect(text).toBe("line 0\nline 1\nline 4\nline 5\n");
  });

  it("is 401 without a token and 404 for what one may not see, as for what does not exist", async () => {
    const job = await runningJob();
    const elsewhere = await world.as(world.owner, "POST", "/api/v1/projects", {
      name: `other-${randomUUID().slice(0, 8)}`,
      repository: { name: `r-${randomUUID().slice(0, 8)}`, slug: "acme/r", url: "https://git.example.com/acme/r.git" },
    });
    const stranger = await world.tokenOf("owner", elsewhere.body.id);
    expect((await world.as(null, "GET", `/api/v1/logs/${job.jobId}`)).status).toBe(401);
    const hidden = await world.as(stranger, "GET", `/api/v1/logs/${job.jobId}`);
    const missing = await world.as(stranger, "GET", `/api/v1/logs/${randomUUID()}`);
    expect([hidden.status, missing.status]).toEqual([404, 404]);
    expect({ ...hidden.body, request_id: "" }).toEqual({ ...missing.body, request_id: "" });
    expect((await watch(`job_id=${job.jobId}`, { token: stranger })).status).toBe(404);
  });
});

describe("one event", () => {
  it("is read by its position, however large, and is 404 in a gap and behind the end", async () => {
    const job = await runningJob();
    const large = output("x".repeat(1_500_000));
    await push(world, job.logToken, job.jobId, 0, [...lines(0, 2), large]);
    await push(world, job.logToken, job.jobId, 5, lines(5, 6));
    const at = (query: string, token: string | null = world.owner) =>
      world.as(token, "GET", `/api/v1/logs/${job.jobId}/event${query}`);
    expect((await at("?at=1")).body).toEqual({ position: 1, event: lines(1, 2)[0] });
    expect((await at("?at=2")).body).toEqual({ position: 2, event: large });
    expect((await at("?at=5")).body).toEqual({ position: 5, event: lines(5, 6)[0] });
    for (const query of ["?at=3", "?at=4", "?at=6", "?at=999999999999999"]) expect((await at(query)).status).toBe(404);
    for (const query of ["", "?at=", "?at=-1", "?at=x"]) expect((await at(query)).status).toBe(400);
    expect((await at("?at=0", null)).status).toBe(401);
  });
});

describe("a download", () => {
  it("grows until the log is final, then has a tag, and is told unchanged or given in parts", async () => {
    const job = await runningJob();
    const get = (query = "", headers: Record<string, string> = {}) =>
      world.harness.fetch(`/api/v1/logs/${job.jobId}/text${query}`, {
        headers: { authorization: `Bearer ${world.owner}`, ...headers },
      });
    await push(world, job.logToken, job.jobId, 0, [output("\u001b[3"), output("1mräd\u001b[0m\n")]);
    const growing = await get("", { range: "bytes=0-1" });
    expect([growing.status, growing.headers.get("etag")]).toEqual([200, null]);
    expect(await growing.text()).toBe("\u001b[31mräd\u001b[0m\n");
    await finish(job);

    const whole = await get();
    const bytes = Buffer.from("\u001b[31mräd\u001b[0m\n");
    const etag = whole.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[^"]+"$/);
    expect(whole.headers.get("content-disposition")).toBe(`attachment; filename="job-${job.jobId}.log"`);
    expect(Buffer.from(await whole.arrayBuffer())).toEqual(bytes);
    expect((await get("", { "if-none-match": etag })).status).toBe(304);
    const bare = await get("?ansi=strip", { "if-none-match": etag });
    expect([bare.status, await bare.text()]).toEqual([200, "räd\n"]);
    for (const [range, first, end] of [
      ["bytes=0-0", 0, 1],
      ["bytes=6-7", 6, 8],
      ["bytes=9-", 9, bytes.length],
      ["bytes=-5", bytes.length - 5, bytes.length],
      ["bytes=2-999", 2, bytes.length],
    ] as const) {
      const part = await get("", { range, "if-range": etag });
      expect(part.status).toBe(206);
      expect(part.headers.get("content-range")).toBe(`bytes ${first}-${end - 1}/${bytes.length}`);
      expect(Buffer.from(await part.arrayBuffer())).toEqual(bytes.subarray(first, end));
    }
    const head = { authorization: `Bearer ${world.owner}`, range: "bytes=999-" };
    const told = await world.harness.fetch(`/api/v1/logs/${job.jobId}/text`, { method: "HEAD", headers: head });
    expect([told.status, told.headers.get("etag")]).toEqual([200, etag]);
    const beyond = await get("", { range: "bytes=999-" });
    expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, `bytes */${bytes.length}`]);
    expect((await get("", { range: "bytes=0-1", "if-range": '"another"' })).status).toBe(200);
    expect((await get("", { range: "bytes=0-1,3-4" })).status).toBe(200);
    expect((await get("?ansi=bold")).status).toBe(400);
  });

  it("of a log of many pages is whole, and so is a part that spans them", async () => {
    const job = await runningJob();
    const wide = (at: number) => output(`${at} ${"x".repeat(20_000)}\n`);
    for (let at = 0; at < 600; at += 200) {
      await push(
        world,
        job.logToken,
        job.jobId,
        at,
        Array.from({ length: 200 }, (_, index) => wide(at + index)),
      );
    }
    await finish(job);
    const text = Array.from({ length: 600 }, (_, at) => wide(at).output).join("");
    const path = `/api/v1/logs/${job.jobId}/text`;
    expect((await world.as(world.owner, "GET", path)).text === text).toBe(true);
    const part = await world.as(world.owner, "GET", path, undefined, { range: "bytes=100000-9999999" });
    expect(part.text === text.slice(100_000, 10_000_000)).toBe(true);
    const hidden = await world.as(null, "GET", path);
    const missing = await world.as(world.owner, "GET", `/api/v1/logs/${randomUUID()}/text`);
    expect([hidden.status, missing.status]).toEqual([401, 404]);
  });
});

describe("viewers", () => {
  it("that join early, late and in the middle see the same events, none lost or twice, also across hibernation", async () => {
    const job = await runningJob();
    const early = await watch(`job_id=${job.jobId}&from=0`);
    await push(world, job.logToken, job.jobId, 0, lines(0, 30));
    await early.until("line 29\n");
    const middle = await watch(`job_id=${job.jobId}&from=11`, { path: "/api/ws/", from: 11 });
    await middle.until("line 29\n");
    for (let start = 30; start < 90; start += 20) {
      await world.harness.evictRoom(job.jobId, "hibernate");
      expect((await push(world, job.logToken, job.jobId, start - 3, lines(start - 3, start + 20))).status).toBe(200);
    }
    await finish(job);
    const late = await watch(`job_id=${job.jobId}`);
    const all = lines(0, 90).map((event) => event.output);
    for (const [viewer, from] of [
      [early, 0],
      [middle, 11],
      [late, 0],
    ] as const) {
      await viewer.until("end\n");
      expect(textOf(viewer.records.filter(({ kind }) => kind === "event"))).toBe(all.slice(from).join(""));
      expect(viewer.records.at(-1)).toMatchObject({ kind: "end", position: 90, result: "passed" });
    }
  });

  it("resume after their socket was cut with nothing lost or twice", async () => {
    const job = await runningJob();
    await push(world, job.logToken, job.jobId, 0, lines(0, 10));
    const first = await watch(`job_id=${job.jobId}`);
    await first.until("line 9\n");
    await world.harness.evictRoom(job.jobId, "close");
    await push(world, job.logToken, job.jobId, 10, lines(10, 20));
    const second = await watch(`job_id=${job.jobId}&from=10`, { from: 10 });
    await second.until("line 19\n");
    expect(textOf([...first.records, ...second.records])).toBe(
      lines(0, 20)
        .map((event) => event.output)
        .join(""),
    );
  });

  it("come in by header or by a ticket that works once, never by a cookie", async () => {
    const job = await runningJob();
    const query = `job_id=${job.jobId}`;
    const made = await world.as(world.owner, "POST", "/api/v1/socket-tickets", { purpose: "job", job_id: job.jobId });
    const protocols = ["signalbox.v1", `signalbox.ticket.${made.body.ticket}`];
    const byTicket = await watch(query, { token: null, protocols });
    expect(byTicket.status).toBeNull();
    expect(byTicket.socket.protocol).toBe("signalbox.v1");
    expect((await watch(query, { token: null, protocols })).status).toBe(401);
    expect((await watch(query, { token: null })).status).toBe(401);
    const cookie = `session=${world.owner}; __Host-signalbox=${world.owner}; authorization=Bearer ${world.owner}`;
    expect((await watch(query, { token: null, headers: { cookie } })).status).toBe(401);
    expect((await watch(`${query}&token=${world.owner}`, { token: null })).status).toBe(401);
    const again = await world.as(world.owner, "POST", "/api/v1/socket-tickets", { purpose: "job", job_id: job.jobId });
    const other = await runningJob();
    const foreign = ["signalbox.v1", `signalbox.ticket.${again.body.ticket}`];
    expect((await watch(`job_id=${other.jobId}`, { token: null, protocols: foreign })).status).toBe(401);
  });

  it("from another origin are refused before their credential is looked at", async () => {
    const job = await runningJob();
    const query = `job_id=${job.jobId}`;
    for (const origin of ["https://evil.example", "null", `${issuer}.evil.example`, issuer.replace("8787", "8788")]) {
      expect((await watch(query, { headers: { origin } })).status).toBe(403);
      expect((await watch(query, { token: null, headers: { origin } })).status).toBe(403);
    }
    expect((await watch(query, { headers: { origin: issuer } })).status).toBeNull();
    expect((await watch(query, { headers: { origin: "" } })).status).toBeNull();
  });

  it("that ask for nothing that can be watched are told why", async () => {
    const job = await runningJob();
    expect((await watch("from=0")).status).toBe(400);
    expect((await watch("job_id=nonsense")).status).toBe(404);
    expect((await watch(`job_id=${randomUUID()}`)).status).toBe(404);
    expect((await watch(`job_id=${job.jobId}&from=-1`)).status).toBe(400);
    const plain = await world.as(world.owner, "GET", `/api/ws?job_id=${job.jobId}`);
    expect([plain.status, plain.body.code]).toEqual([426, "upgrade_required"]);
  });

  it("whose token was revoked are cut off with 4004 when the room looks, within a minute, and others are not", async () => {
    const job = await runningJob();
    const made = await world.as(world.owner, "POST", "/api/v1/tokens", { name: "leaver", role: "guest" });
    const [leaver, stayer] = [
      await watch(`job_id=${job.jobId}`, { token: made.body.token }),
      await watch(`job_id=${job.jobId}`),
    ];
    const closed = new Promise<number>((resolve) => leaver.socket.on("close", resolve));
    const looksAt = (await world.harness.roomRows(job.jobId, "SELECT sweep_at FROM room")) as { sweep_at: number }[];
    expect(looksAt[0]?.sweep_at).toBeLessThanOrEqual(Date.now() + 60_000);
    expect((await world.as(world.owner, "DELETE", `/api/v1/tokens/${made.body.id}`)).status).toBe(204);
    // The minute passes: the room forgets when it meant to look, reads that it is due, and sets its alarm anew.
    await world.harness.roomRows(job.jobId, "UPDATE room SET sweep_at = 1");
    await world.harness.evictRoom(job.jobId, "hibernate");
    expect((await world.as(world.owner, "POST", `/api/v1/jobs/${job.jobId}/stop`)).status).toBeLessThan(300);
    expect(await closed).toBe(4004);
    await push(world, job.logToken, job.jobId, 0, lines(0, 1));
    await stayer.until("line 0\n");
    expect((await watch(`job_id=${job.jobId}`, { token: made.body.token })).status).toBe(401);
  });

  it("of a queued job wait, and see it all once it runs", async () => {
    const jobId = await world.startJob();
    const viewer = await watch(`job_id=${jobId}`);
    const agent = await world.agent();
    const { logToken } = await takeJob(world, agent);
    await sync(world, agent, "running-job", jobId);
    await push(world, logToken, jobId, 0, lines(0, 2));
    await viewer.until("line 1\n");
    await finish({ jobId, agent, logToken });
    await viewer.until("end\n");
  });
});
