import { expect, test } from "vitest";
import { exportLines, jobEnvironment } from "../../../src/agent/job-environment.ts";

test("a job inherits the plain things of the machine, and nothing that could be the agent's secret", () => {
  const agentEnv = {
    PATH: "/bin",
    LC_TIME: "C",
    https_proxy: "http://proxy",
    SEMAPHORE_AGENT_TOKEN: "t",
    SIGNALBOX_TOKEN: "t",
    NODE_OPTIONS: "--inspect",
    AWS_SECRET_ACCESS_KEY: "k",
    HOME: "/root",
    LANG: undefined,
  };
  expect(jobEnvironment(agentEnv, { home: "/job/home", mark: "m4rk", requested: new Map() })).toEqual({
    PATH: "/bin",
    LC_TIME: "C",
    https_proxy: "http://proxy",
    HOME: "/job/home",
    SIGNALBOX_JOB_MARK: "m4rk",
  });
});

test("what the job names wins over the machine, whatever its name, but not over the mark of its processes", () => {
  const requested = new Map([
    ["PATH", "/mine"],
    ["SEMAPHORE_AGENT_TOKEN", "asked"],
    ["SIGNALBOX_JOB_MARK", "forged"],
  ]);
  const env = jobEnvironment({ PATH: "/bin" }, { home: "/home", mark: "m4rk", requested });
  expect(env).toEqual({
    PATH: "/mine",
    HOME: "/home",
    SEMAPHORE_AGENT_TOKEN: "asked",
    SIGNALBOX_JOB_MARK: "m4rk",
  });
});

test("a job always finds its tools, even under an agent without a PATH", () => {
  expect(jobEnvironment({}, { home: "/home", mark: "m4rk", requested: new Map() }).PATH).toContain("/usr/bin");
});

test("names are exported sorted, values are never shown", () => {
  expect(
    exportLines(
      new Map([
        ["B", "secret"],
        ["A", "x"],
      ]).keys(),
    ),
  ).toBe("Exporting A\nExporting B\n");
});
