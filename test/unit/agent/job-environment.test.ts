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
  expect(jobEnvironment(agentEnv, "/job/home", new Map())).toEqual({
    PATH: "/bin",
    LC_TIME: "C",
    https_proxy: "http://proxy",
    HOME: "/job/home",
  });
});

test("what the job names wins over the machine, whatever its name", () => {
  const env = jobEnvironment(
    { PATH: "/bin" },
    "/home",
    new Map([
      ["PATH", "/mine"],
      ["SEMAPHORE_AGENT_TOKEN", "asked"],
    ]),
  );
  expect(env).toEqual({ PATH: "/mine", HOME: "/home", SEMAPHORE_AGENT_TOKEN: "asked" });
});

test("a job always finds its tools, even under an agent without a PATH", () => {
  expect(jobEnvironment({}, "/home", new Map()).PATH).toContain("/usr/bin");
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
