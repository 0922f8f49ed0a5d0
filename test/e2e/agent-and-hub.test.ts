/** What our agent says to a hub, and how it bears what a hub answers. */
import { expect, test } from "vitest";
import { AgentRefused } from "../../src/agent/agent.ts";
import { isAlive } from "../support/processes.ts";
import { eachTest } from "./agent-under-test.ts";

const site = eachTest();

test("a push answered 401 is sent again from the same position with a refreshed token", async () => {
  site.hub.answerPush = ({ token }) => (token === "LOG1" ? 401 : 200);
  const { output, result } = await site.run({ commands: ["echo hello"] });
  expect(result).toBe("passed");
  expect(output).toContain("hello\n");
  expect(site.hub.pushes.slice(0, 2).map(({ startFrom, token }) => [startFrom, token])).toEqual([
    [0, "LOG1"],
    [0, "LOG2"],
  ]);
  const refresh = site.hub.exchanges.find(({ path }) => path.endsWith("/refresh"));
  expect(refresh).toMatchObject({ authorization: "Token ACCESS", body: "" });
});

test.each([500, 429, 204, 403, 302])("a push answered %d is sent again from the same position", async (status) => {
  site.hub.answerPush = ({ index }) => (index === 0 ? status : 200);
  const { output } = await site.run({ commands: ["echo hello"] });
  expect(output).toContain("hello\n");
  expect(site.hub.pushes.slice(0, 2).map(({ startFrom }) => startFrom)).toEqual([0, 0]);
});

test("after 422 nothing is pushed any more, and the job goes on to its own result", async () => {
  site.hub.answerPush = () => 422;
  const { result } = await site.run({ commands: ["head -c 20000000 /dev/zero | tr '\\0' 'x' | fold", "(exit 3)"] });
  expect(result).toBe("failed");
  expect(site.hub.pushes).toHaveLength(1);
});

test("12 MB of output arrive whole and in order though the server fails every third push", async () => {
  site.hub.answerPush = ({ index }) => (index % 3 === 1 ? 500 : 200);
  const { output, result } = await site.run({ commands: ["seq 1500000"] });
  expect(result).toBe("passed");
  const numbers = output.split("\n").filter((line) => /^\d+$/.test(line));
  expect(numbers).toHaveLength(1_500_000);
  expect(numbers.every((line, at) => Number(line) === at + 1)).toBe(true);
  expect(Math.max(...site.hub.pushes.map(({ lines }) => lines.length))).toBeLessThanOrEqual(2000);
});

test("the result is reported only after the last event of the log was stored", async () => {
  await site.run({ commands: ["echo hello"] });
  const lastPush = site.hub.exchanges.findLastIndex(({ path }) => path.includes("/logs/"));
  const finished = site.hub.exchanges.findIndex(({ body }) => body.includes('"finished-job"'));
  expect(site.hub.exchanges[lastPush]?.body).toContain('"job_finished"');
  expect(finished).toBeGreaterThan(lastPush);
});

test("the agent registers, works, and disconnects as itself, and never as Semaphore's", async () => {
  site.hub.add({ commands: ["true"] });
  site.hub.shutdown("idle");
  expect(await site.startAgent()).toBe("idle");
  expect(site.hub.exchanges[0]).toMatchObject({
    path: "/api/v1/self_hosted_agents/register",
    authorization: "Token REGISTRATION-TOKEN",
  });
  expect(site.hub.exchanges.at(-1)).toMatchObject({
    path: "/api/v1/self_hosted_agents/disconnect",
    authorization: "Token ACCESS",
  });
  for (const { userAgent } of site.hub.exchanges) expect(userAgent).toMatch(/^SignalboxAgent\/v\d/);
});

test("a wrong registration token ends the agent at once", async () => {
  site.hub.registerStatus = 404;
  await expect(site.startAgent()).rejects.toThrow(AgentRefused);
  expect(site.hub.exchanges).toHaveLength(1);
});

test("an idle agent that is interrupted asks the server at once and ends as it says", async () => {
  const reason = site.startAgent();
  await site.hub.until(() => site.hub.exchanges.length >= 2);
  site.interrupt.abort();
  expect(await reason).toBe("interrupted");
  expect(site.hub.exchanges.at(-1)?.path).toMatch(/disconnect$/);
});

test("a shutdown in the middle of nothing but failing syncs is still obeyed once one succeeds", async () => {
  site.hub.syncFailures.push(404, 500);
  site.hub.shutdown("requested");
  expect(await site.startAgent()).toBe("requested");
});

test("an agent that the server no longer knows ends, and what it runs with it", async () => {
  const id = site.hub.add({ commands: ["echo pid=$$=; sleep 1000"] });
  const reason = site.startAgent();
  await site.hub.until(() => /pid=\d+=/.test(site.hub.output(id)));
  const pid = Number(/pid=(\d+)=/.exec(site.hub.output(id))?.[1]);
  site.hub.syncFailures.push(...Array(20).fill(404));
  expect(await reason).toBe("disconnected");
  expect(await isAlive(pid)).toBe(false);
});

test("an agent that is interrupted in a job says since when at once, and lets the server end the job", async () => {
  const id = site.hub.add({ commands: ["echo begun; sleep 1000"] });
  const reason = site.startAgent();
  await site.hub.until(() => site.hub.output(id).includes("begun"));
  site.interrupt.abort();
  expect(await reason).toBe("interrupted");
  expect(await site.hub.result(id)).toBe("stopped");
  const syncs = site.hub.exchanges.filter(({ path }) => path.endsWith("/sync")).map(({ body }) => JSON.parse(body));
  const told = syncs.filter((sync) => sync.interrupted_at !== 0);
  expect(told.map((sync) => sync.state)).toEqual(
    expect.arrayContaining(["running-job", "finished-job", "waiting-for-jobs"]),
  );
  expect(new Set(told.map((sync) => sync.interrupted_at)).size).toBe(1);
});

test("a job waits, and loses nothing, while the server stores none of its output", async () => {
  const id = site.hub.add({
    commands: ['head -c 40000000 /dev/zero | tr "\\0" x | fold -w 999; echo; echo $(printf writt)en'],
  });
  let open = false;
  site.hub.answerPush = ({ index }) => {
    open ||= index >= 4;
    return open ? 200 : 500;
  };
  site.startAgent().catch(() => {});
  await site.hub.until(() => open);
  expect(site.hub.pushes.some(({ lines }) => lines.join("").includes("written"))).toBe(false);
  expect(await site.hub.result(id)).toBe("passed");
  expect(site.hub.output(id).match(/x/g)?.length).toBeGreaterThanOrEqual(40_000_000);
  expect(site.hub.output(id)).toContain("written\n");
});
