import { describe, expect, test } from "vitest";
import { all, createClient } from "../../../src/client/client.ts";
import type { Clock } from "../../../src/client/clock.ts";
import { ApiProblem, UnexpectedAnswer, Unreachable } from "../../../src/client/errors.ts";
import type { Fetch } from "../../../src/client/transport.ts";
import { uuidv7 } from "../../../src/client/uuid.ts";

const id = "0198d3a0-0000-7000-8000-000000000001";
const agentType = {
  id,
  name: "local",
  policy: { project_ids: [id], refs: "protected", forks: false },
  certificates: null,
  revision: 1,
  created_at: "2026-11-20T18:10:13.123Z",
  created_by: id,
};

type Answer = { status: number; body?: unknown; retryAfter?: string } | Error;
type Asked = { url: string } & Parameters<Fetch>[1];

function scripted(...answers: Answer[]) {
  const asked: Asked[] = [];
  const slept: number[] = [];
  const fetch: Fetch = async (url, init) => {
    asked.push({ url, ...init });
    const answer = answers[Math.min(asked.length, answers.length) - 1] ?? new Error("no answer left");
    if (answer instanceof Error) throw answer;
    return {
      status: answer.status,
      headers: { get: (name) => (name === "retry-after" ? (answer.retryAfter ?? null) : null) },
      text: async () => (typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body ?? null)),
    };
  };
  const clock: Clock = {
    sleep: async (milliseconds) => void slept.push(milliseconds),
    random: () => 1,
    every: () => () => undefined,
  };
  const client = createClient({ baseUrl: "https://ci.example.com", token: "t0ken", fetch, clock });
  return { client, asked, slept };
}

function problem(status: number, code: string, errors?: unknown) {
  return { status, body: { type: "about:blank", title: "t", status, detail: "why", code, request_id: "r1", errors } };
}

const down = Object.assign(new TypeError("fetch failed"), { cause: new Error("connect ECONNREFUSED 127.0.0.1:1") });

describe("a request", () => {
  test("carries the token in a header, follows no redirect, and its answer is checked", async () => {
    const { client, asked } = scripted({ status: 200, body: agentType });
    expect(await client.agentTypes.show(id)).toEqual(agentType);
    expect(asked[0]).toMatchObject({
      url: `https://ci.example.com/api/v1/agent-types/${id}`,
      method: "GET",
      redirect: "error",
      headers: { authorization: "Bearer t0ken" },
    });
  });

  test("whose answer is not the protocol's is an error, not a guess", async () => {
    const { client } = scripted({ status: 200, body: { ...agentType, revision: "one" } });
    await expect(client.agentTypes.show(id)).rejects.toThrow(UnexpectedAnswer);
  });

  test("that changes a project names the revision that it has seen", async () => {
    const { client, asked } = scripted(problem(412, "precondition_failed"));
    await expect(client.projects.change(id, {}, 7)).rejects.toThrow(ApiProblem);
    expect(asked[0]?.headers["if-match"]).toBe('"7"');
  });
});

describe("a refusal", () => {
  test("is an error with status, code, detail and the fields", async () => {
    const errors = [{ pointer: "/name", detail: "must be a name" }];
    const { client } = scripted(problem(422, "invalid_request", errors));
    const error = await client.agentTypes
      .create({ name: "X", policy: { project_ids: [id] } })
      .catch((caught) => caught);
    expect(error).toBeInstanceOf(ApiProblem);
    expect(error).toMatchObject({ status: 422, code: "invalid_request", detail: "why", requestId: "r1", errors });
  });

  test("that is no problem document keeps its status", async () => {
    const { client } = scripted({ status: 403, body: "<html>proxy</html>" });
    await expect(client.whoami()).rejects.toMatchObject({ status: 403, code: null });
  });
});

describe("retries", () => {
  for (const [what, answer] of [
    ["no connection", down],
    ["502", { status: 502, body: "bad gateway" }],
    ["503", problem(503, "unavailable")],
    ["429", problem(429, "too_many")],
  ] as const) {
    test(`a GET is asked again after ${what}`, async () => {
      const { client, asked, slept } = scripted(answer, answer, { status: 200, body: agentType });
      expect(await client.agentTypes.show(id)).toEqual(agentType);
      expect(asked).toHaveLength(3);
      expect(slept).toEqual([250, 500]);
    });
  }

  test("end after four tries, with the connection's own reason", async () => {
    const { client, asked } = scripted(down);
    const error = await client.health().catch((caught) => caught);
    expect(error).toBeInstanceOf(Unreachable);
    expect(error.message).toBe("cannot reach https://ci.example.com: connect ECONNREFUSED 127.0.0.1:1");
    expect(asked).toHaveLength(4);
  });

  test("of a creation repeat the client's own id and body", async () => {
    const { client, asked } = scripted(down, { status: 200, body: agentType });
    await client.agentTypes.create({ name: "local", policy: { project_ids: [id] } });
    expect(asked[0]?.body).toBe(asked[1]?.body);
    expect(JSON.parse(asked[0]?.body ?? "{}").id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  });

  test("are never made of the bootstrap, nor of a deletion", async () => {
    const one = scripted(down);
    await expect(one.client.bootstrap({ bootstrap_token: "b", organization: "o" })).rejects.toThrow(Unreachable);
    expect(one.asked).toHaveLength(1);
    const two = scripted(down);
    await expect(two.client.keys.delete(id, id)).rejects.toThrow(Unreachable);
    expect(two.asked).toHaveLength(1);
  });

  test("are not made of what time does not mend: a refusal, or a binding that is unusable", async () => {
    for (const answer of [problem(404, "not_found"), problem(503, "binding_unusable"), problem(500, "internal")]) {
      const { client, asked } = scripted(answer);
      await expect(client.whoami()).rejects.toThrow(ApiProblem);
      expect(asked).toHaveLength(1);
    }
  });

  test("wait as long as the server asks, but not for minutes", async () => {
    const short = scripted({ ...problem(503, "unavailable"), retryAfter: "2" }, { status: 200, body: agentType });
    await short.client.agentTypes.show(id);
    expect(short.slept).toEqual([2000]);
    const long = scripted({ ...problem(503, "unavailable"), retryAfter: "3600" });
    await expect(long.client.agentTypes.show(id)).rejects.toThrow(ApiProblem);
    expect(long.asked).toHaveLength(1);
  });
});

test("a list of several pages is read to its end", async () => {
  const { client, asked } = scripted(
    { status: 200, body: { items: [agentType], next: "c1" } },
    { status: 200, body: { items: [{ ...agentType, name: "other" }], next: null } },
  );
  const types = await all(client.agentTypes.list, { name: "x" });
  expect(types.map((type) => type.name)).toEqual(["local", "other"]);
  expect(asked.map((call) => new URL(call.url).search)).toEqual(["?name=x", "?name=x&cursor=c1"]);
});

test("ids made later sort later", () => {
  const [first, second] = [uuidv7(1_795_169_265_000), uuidv7(1_795_169_265_001)];
  expect(first < second).toBe(true);
  expect(second).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

describe("a download", () => {
  const download = (answer: Partial<Awaited<ReturnType<Fetch>>>, clock: Partial<Clock> = {}) => {
    const signals: (AbortSignal | undefined)[] = [];
    const fetch: Fetch = async (_url, { signal }) => {
      signals.push(signal);
      return { status: 200, headers: { get: () => null }, text: async () => "", ...answer };
    };
    const quiet: Clock = { sleep: async () => undefined, random: () => 1, every: () => () => undefined, ...clock };
    const { logs } = createClient({ baseUrl: "https://ci.example.com", token: "t0ken", fetch, clock: quiet });
    return { pieces: logs.download(id, "events"), signals };
  };
  const reader = (read: () => Promise<{ done: boolean; value?: Uint8Array }>) => ({ getReader: () => ({ read }) });

  test("gives the bytes as they come, and lets go of the connection where its reader wants no more", async () => {
    let reads = 0;
    const body = reader(async () => ({ done: false, value: Uint8Array.of(++reads) }));
    const { pieces, signals } = download({ body });
    expect((await pieces.next()).value).toEqual(Uint8Array.of(1));
    expect((await pieces.next()).value).toEqual(Uint8Array.of(2));
    expect([reads, signals[0]?.aborted]).toEqual([2, false]);
    await pieces.return();
    expect(signals[0]?.aborted).toBe(true);
  });

  test("that is refused, breaks off or falls silent says so, and is never taken for whole", async () => {
    const refused = problem(410, "log_deleted");
    const gone = download({ status: 410, text: async () => JSON.stringify(refused.body) });
    await expect(gone.pieces.next()).rejects.toMatchObject({ status: 410, code: "log_deleted" });
    const broken = download({ body: reader(() => Promise.reject(new TypeError("terminated"))) });
    await expect(broken.pieces.next()).rejects.toThrow(Unreachable);
    let tick: () => void = () => undefined;
    const silent = download(
      { body: reader(() => new Promise((_, reject) => silent.signals[0]?.addEventListener("abort", reject))) },
      {
        every(_milliseconds, action) {
          tick = action;
          return () => undefined;
        },
      },
    );
    const first = silent.pieces.next();
    await new Promise((resolve) => setImmediate(resolve));
    for (let ticks = 0; ticks < 3; ticks++) tick();
    await expect(first).rejects.toThrow(Unreachable);
  });
});
