import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { AgentRefused, AgentUnreachable, runAgent } from "../../../src/agent/agent.ts";
import { fakeClock } from "./fake-clock.ts";

interface Call {
  path: string;
  body: Record<string, unknown>;
  at: number;
}
type Reply = { status: number; body?: object };

/** Runs an agent against a function in place of a network, in no real time. */
function agent(
  reply: (call: Call, calls: Call[]) => Reply,
  { signal = new AbortController().signal, registers = true } = {},
) {
  const calls: Call[] = [];
  const clock = fakeClock();
  const ended = runAgent({
    endpoint: "http://hub/prefix/",
    token: "REG",
    name: "agent-name-1",
    workDir: tmpdir(),
    signal,
    log: () => {},
    clock,
    fetch: async (url, init) => {
      expect(url).toMatch(/^http:\/\/hub\/prefix\/api\/v1\/self_hosted_agents\//);
      const path = url.replace(/^.*self_hosted_agents/, "");
      const call: Call = { path, body: init.body ? JSON.parse(init.body) : {}, at: clock.monotonic() };
      calls.push(call);
      const { status, body } = path === "/register" && registers ? registered : reply(call, calls);
      if (status === 0) throw new TypeError("fetch failed");
      return { status, text: async () => JSON.stringify(body ?? {}) };
    },
  });
  return { calls, ended, clock };
}

const registered: Reply = { status: 201, body: { name: "agent-name-1", token: "ACCESS" } };

function told(action: string, rest: object = {}): Reply {
  return { status: 200, body: { action, job_id: "", shutdown_reason: "", next_sync_after: 1000, ...rest } };
}

test("a registration that the server cannot answer is tried 30 times, a second apart", async () => {
  const { ended, calls, clock } = agent(() => ({ status: 500 }), { registers: false });
  await expect(ended).rejects.toThrow(AgentUnreachable);
  expect(calls).toHaveLength(30);
  expect(clock.slept).toEqual(Array(29).fill(1000));
});

test.each([401, 404, 422])("a registration answered %d is not tried again", async (status) => {
  const { ended, calls } = agent(() => ({ status }), { registers: false });
  await expect(ended).rejects.toThrow(/token/);
  expect(calls).toHaveLength(1);
});

test.each(["ci.example.com:8787", "ftp://ci.example.com", ""])("%j is no endpoint", async (endpoint) => {
  const { signal } = new AbortController();
  const options = { endpoint, token: "T", name: "agent-name-1", workDir: tmpdir(), signal, log: () => {} };
  await expect(runAgent(options)).rejects.toThrow(AgentRefused);
});

test("the next sync comes when the server said", async () => {
  const { ended, calls } = agent((call, all) => {
    if (call.path !== "/sync") return { status: 200 };
    return all.length < 4 ? told("continue", { next_sync_after: 4321 }) : told("shutdown", { shutdown_reason: "idle" });
  });
  expect(await ended).toBe("idle");
  expect(calls.filter(({ path }) => path === "/sync").map(({ at }) => at)).toEqual([0, 4321, 8642]);
});

test("ten minutes without a successful sync end the agent", async () => {
  const { ended, calls } = agent(() => ({ status: 0 }));
  expect(await ended).toBe("unable-to-sync");
  const syncs = calls.filter(({ path }) => path === "/sync");
  expect(syncs.at(-1)?.at).toBeGreaterThan(600_000);
  expect(syncs.at(-1)?.at).toBeLessThan(604_000);
});

test("a job that cannot be fetched is tried ten times and reported failed, until the server takes note", async () => {
  let reports = 0;
  const { ended, calls } = agent((call) => {
    if (call.path.startsWith("/jobs/")) return { status: 404 };
    if (call.path !== "/sync") return { status: 200 };
    if (call.body.state === "finished-job") return ++reports < 3 ? { status: 500 } : told("wait-for-jobs");
    if (call.body.state !== "waiting-for-jobs") return told("continue");
    return reports > 0 ? told("shutdown", { shutdown_reason: "idle" }) : told("run-job", { job_id: "J/1" });
  });
  expect(await ended).toBe("idle");
  expect(calls.filter(({ path }) => path === "/jobs/J%2F1")).toHaveLength(10);
  const said = calls.filter(({ body }) => body.state === "finished-job").map(({ body }) => body);
  expect(said).toEqual(
    Array(3).fill({ state: "finished-job", job_id: "J/1", job_result: "failed", interrupted_at: 0 }),
  );
});

test("a job that is stopped before its request came is reported stopped", async () => {
  let reported = "";
  const { ended } = agent((call) => {
    if (call.path.startsWith("/jobs/")) return { status: 503 };
    if (call.path !== "/sync") return { status: 200 };
    if (call.body.state === "starting-job") return told("stop-job", { job_id: "J" });
    if (call.body.state === "finished-job") {
      reported = String(call.body.job_result);
      return told("wait-for-jobs");
    }
    if (call.body.state !== "waiting-for-jobs") return told("continue");
    return reported ? told("shutdown", { shutdown_reason: "requested" }) : told("run-job", { job_id: "J" });
  });
  expect(await ended).toBe("requested");
  expect(reported).toBe("stopped");
});

test("an interrupted idle agent whose server is gone does not wait ten minutes for it", async () => {
  const interrupt = new AbortController();
  const { ended, clock } = agent(
    (call, all) => {
      if (call.path === "/sync" && all.length === 3) interrupt.abort();
      return { status: 0 };
    },
    { signal: interrupt.signal },
  );
  expect(await ended).toBe("interrupted");
  expect(clock.monotonic()).toBeLessThan(60_000);
});

test("a disconnect that fails is tried ten times, and then the agent ends all the same", async () => {
  const { ended, calls } = agent((call) =>
    call.path === "/sync" ? told("shutdown", { shutdown_reason: "job-finished" }) : { status: 500 },
  );
  expect(await ended).toBe("job-finished");
  expect(calls.filter(({ path }) => path === "/disconnect")).toHaveLength(10);
});
