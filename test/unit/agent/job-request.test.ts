import { expect, test } from "vitest";
import { readJobRequest } from "../../../src/agent/job-request.ts";

const logger = { method: "push", url: "http://hub/api/v1/logs/J", token: "LOG" };
const base64 = (text: string | Uint8Array) => Buffer.from(text).toString("base64");

function refusal(request: object): string {
  const read = readJobRequest({ logger, ...request });
  if (read.ok) throw new Error("it was taken");
  expect(read.logger).toEqual({ method: "push", url: logger.url, token: "LOG" });
  return read.reason;
}

test("the least that the protocol allows is a job; null lists and unknown fields are fine", () => {
  const least = readJobRequest({ commands: [{ directive: "echo hi" }], logger });
  expect(least).toMatchObject({ ok: true, job: { commands: [{ directive: "echo hi", alias: null }], files: [] } });
  const nulls = { env_vars: null, files: null, epilogue_always_commands: null, executor: null, compose: null };
  expect(readJobRequest({ ...nulls, logger }).ok).toBe(true);
});

test("of two variables with one name the later wins", () => {
  const read = readJobRequest({
    logger,
    env_vars: [
      { name: "A", value: base64("first") },
      { name: "A", value: base64("é\n'") },
    ],
  });
  expect(read.ok && [...read.job.env]).toEqual([["A", "é\n'"]]);
});

test("what cannot be run exactly as asked is refused, and the reason names the place", () => {
  expect(refusal({ executor: "dockercompose" })).toContain("executor");
  expect(refusal({ env_vars: [{ name: "A", value: "YQ" }] })).toContain("env_vars.0.value");
  expect(refusal({ env_vars: [{ name: "A B", value: "" }] })).toContain("env_vars.0.name");
  expect(refusal({ env_vars: [{ name: "A", value: base64("a\0b") }] })).toContain("NUL");
  expect(refusal({ env_vars: [{ name: "A", value: base64(Uint8Array.of(0xff)) }] })).toContain("UTF-8");
  expect(refusal({ files: [{ path: "a", content: "", mode: 420 }] })).toContain("files.0.mode");
  expect(refusal({ files: [{ path: "a", content: "", mode: "" }] })).toContain("files.0.mode");
  expect(refusal({ files: [{ path: "../a", content: "", mode: "0600" }] })).toContain("files.0.path");
  expect(refusal({ commands: "echo" })).toContain("commands");
});

test("a refusal never quotes a value: it may be a secret", () => {
  expect(refusal({ env_vars: [{ name: "A", value: "hunter2 secret" }] })).not.toContain("hunter2");
});

test("without a usable logger there is nowhere to tell the reason", () => {
  for (const bad of [
    undefined,
    { ...logger, method: "pull" },
    { ...logger, url: "file:///etc" },
    { ...logger, token: 1 },
  ]) {
    expect(readJobRequest({ logger: bad })).toMatchObject({ ok: false, logger: null });
  }
  expect(readJobRequest(null)).toMatchObject({ ok: false, logger: null });
});
