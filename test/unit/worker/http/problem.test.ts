import { afterEach, beforeEach, describe, expect, type MockInstance, test, vi } from "vitest";
import { Problem, ProblemCode } from "../../../../src/protocol/problem.ts";
import { problemKinds, problemResponse } from "../../../../src/worker/http/problem.ts";
import { bindingUnusable, Fault, invalidField, notFound, unauthenticated } from "../../../../src/worker/lib/fault.ts";

let log: MockInstance<typeof console.error>;
beforeEach(() => {
  log = vi.spyOn(console, "error").mockImplementation(() => undefined);
});
afterEach(() => log.mockRestore());

async function shown(thrown: unknown) {
  const response = problemResponse(thrown, "request-1");
  const text = await response.text();
  return { response, text, problem: Problem.strict().parse(JSON.parse(text)) };
}

/** DESIGN section 12, and what clients were promised: a code's status never changes. */
const statuses: Record<ProblemCode, number> = {
  invalid_request: 400,
  unauthenticated: 401,
  insecure_transport: 403,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  conflict: 409,
  precondition_failed: 412,
  log_deleted: 410,
  too_large: 413,
  misdirected: 421,
  refused: 422,
  upgrade_required: 426,
  too_many: 429,
  sealed_unreadable: 500,
  internal: 500,
  binding_unusable: 503,
  unavailable: 503,
};

test.each(ProblemCode.options)("code %s has its status and a title", async (code) => {
  const { response, problem } = await shown(new Fault(code, "why"));
  expect(response.status).toBe(statuses[code]);
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(problem).toEqual({
    type: "about:blank",
    title: problemKinds[code].title,
    status: statuses[code],
    detail: "why",
    code,
    request_id: "request-1",
  });
  expect(problem.title).not.toBe("");
});

describe("the unexpected", () => {
  const secret = "s3cret-value";
  test.each<[string, unknown]>([
    ["an error", new Error(secret)],
    ["a type error of the runtime", new TypeError(`Cannot read ${secret}`)],
    ["an error with a cause", new Error("x", { cause: new Error(secret) })],
    ["a text", secret],
    ["an object", { message: secret, detail: secret, code: "not_found", status: 404 }],
    [
      "an object that looks like a fault",
      Object.assign(new Error(secret), { name: "Fault", code: "forbidden", detail: secret }),
    ],
    ["nothing", undefined],
    ["null", null],
  ])("%s is a bare 500 with the request id alone", async (_, thrown) => {
    const { response, text, problem } = await shown(thrown);
    expect(response.status).toBe(500);
    expect(problem).toMatchObject({ code: "internal", detail: "an unexpected error", request_id: "request-1" });
    expect(text + JSON.stringify([...response.headers])).not.toContain(secret);
  });

  test("goes to the Worker's log with its cause and the same request id", async () => {
    await shown(new Error("D1 is on fire"));
    expect(log).toHaveBeenCalledTimes(1);
    const line = JSON.parse(String(log.mock.calls[0]?.[0]));
    expect(line).toMatchObject({ request_id: "request-1", code: "internal" });
    expect(line.cause).toContain("D1 is on fire");
  });
});

test("a fault's private cause is in no answer", async () => {
  for (const code of ProblemCode.options) {
    const { text, response } = await shown(new Fault(code, "why", { cause: new Error("s3cret-value") }));
    expect(text + JSON.stringify([...response.headers])).not.toContain("s3cret-value");
  }
});

test("a refusal below 500 is the caller's business, not the log's", async () => {
  await shown(notFound());
  await shown(unauthenticated());
  expect(log).not.toHaveBeenCalled();
});

test("a refused field is named by pointer, a 503 says when to come back, a 401 how to log in", async () => {
  expect((await shown(invalidField("/name", "is bad"))).problem.errors).toEqual([
    { pointer: "/name", detail: "is bad" },
  ]);
  expect((await shown(bindingUnusable("SIGNING_KEY_1", "is not set"))).response.headers.get("retry-after")).toBe("30");
  expect((await shown(unauthenticated())).response.headers.get("www-authenticate")).toBe("Bearer");
  const { response } = await shown(notFound());
  expect([response.headers.get("retry-after"), response.headers.get("www-authenticate")]).toEqual([null, null]);
});
