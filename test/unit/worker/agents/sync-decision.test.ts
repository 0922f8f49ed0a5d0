import { describe, expect, test } from "vitest";
import { AgentState, SyncAnswer, SyncRequest } from "../../../../src/protocol/agent-protocol.ts";
import { decideSync } from "../../../../src/worker/agents/sync-decision.ts";
import { nextState } from "../../../../src/worker/jobs/job-state.ts";
import { type EpochMs, plusSeconds } from "../../../../src/worker/lib/time.ts";
import { combinations, idOf, startedAt, storedAgent, storedJob } from "../fixtures.ts";

const jobId = idOf(1);
const otherId = idOf(77);
const never = 0 as EpochMs;
const now = plusSeconds(startedAt, 100);

const jobs = {
  none: null,
  running: storedJob(),
  unfetched: storedJob({ handedOver: false, fetchClosed: false }),
  handed: storedJob({ handedOver: true, fetchClosed: false }),
  stopping: storedJob({ job: { state: "stopping" }, stopReason: "asked by somebody" }),
  stopping_unfetched: storedJob({
    job: { state: "stopping" },
    stopReason: "asked by somebody",
    handedOver: false,
    fetchClosed: false,
  }),
} as const;

/** Every agent state against every state of its job, interrupted or not, and all else that the decision reads. */
const cases = combinations({
  state: AgentState.options,
  job: Object.keys(jobs) as (keyof typeof jobs)[],
  reported: ["", jobId, otherId],
  result: ["", "passed", "failed", "stopped"],
  interruptedAt: [never, plusSeconds(startedAt, 95), plusSeconds(startedAt, 10)],
  singleJob: [false, true],
  idleTimeoutSeconds: [0, 50, 500],
} as const);

function decide(each: (typeof cases)[number]) {
  const { state, job, reported, result, ...rest } = each;
  const request = SyncRequest.parse({ state, job_id: reported, job_result: result });
  return decideSync(storedAgent({ ...rest, interruptionGraceSeconds: 30 }), jobs[job], request, now);
}

const decided = cases.map((each) => ({ ...each, ...decide(each) }));
type Decided = (typeof decided)[number];

/** All cases in which `is` holds keep to `rule`; there must be some. */
function always(is: (each: Decided) => boolean, rule: (each: Decided) => boolean): void {
  const concerned = decided.filter(is);
  expect(concerned.length).toBeGreaterThan(0);
  const breach = concerned.find((each) => !rule(each));
  if (breach) expect.fail(JSON.stringify(breach));
}

const claimed = (each: Decided) => each.job !== "none";
const wasHandedOver = (each: Decided) => jobs[each.job]?.handedOver === true;
const isStopping = (each: Decided) => each.job === "stopping" || each.job === "stopping_unfetched";
const ends = (each: Decided) =>
  ["finished-job", "failed-to-fetch-job", "failed-to-construct-job", "failed-to-send-callback"].includes(each.state);

describe(`what the real agent dies or hangs of is never answered, in ${cases.length} cases`, () => {
  test("stop-job while it is starting a job, or in any state but running-job", () => {
    always(
      (each) => each.state !== "running-job",
      ({ answer }) => answer.action !== "stop-job",
    );
  });

  test("stop-job or run-job without the id of a job", () => {
    always(
      ({ answer }) => answer.action === "stop-job" || answer.action === "run-job",
      ({ answer }) => answer.job_id !== "",
    );
  });

  test("stop-job with an id that is not the one it runs", () => {
    always(
      ({ answer }) => answer.action === "stop-job",
      ({ answer, reported }) => answer.job_id === reported,
    );
  });

  test("run-job unless it is waiting, and of nothing but its own job", () => {
    always(
      ({ answer }) => answer.action === "run-job",
      (each) => each.state === "waiting-for-jobs" && claimed(each) && each.answer.job_id === jobId,
    );
  });

  test("run-job of a job that is being stopped, or that was handed over before", () => {
    always(
      ({ answer }) => answer.action === "run-job",
      (each) => each.job === "unfetched",
    );
  });

  test("shutdown while it runs, starts or stops a job", () => {
    always(
      ({ state }) => ["running-job", "starting-job", "stopping-job"].includes(state),
      ({ answer }) => answer.action !== "shutdown",
    );
  });

  test("wait-for-jobs unless it has ended a job", () => {
    always(({ answer }) => answer.action === "wait-for-jobs", ends);
  });

  test("anything but wait-for-jobs or shutdown once it has ended a job: it would say so for ever", () => {
    always(ends, ({ answer }) => answer.action === "wait-for-jobs" || answer.action === "shutdown");
  });

  test("a shutdown without its reason, or a reason without shutdown", () => {
    always(
      () => true,
      ({ answer }) => (answer.action === "shutdown") === (answer.shutdown_reason !== ""),
    );
  });

  test("anything that the wire does not know", () => {
    always(
      () => true,
      ({ answer }) => SyncAnswer.safeParse({ ...answer, next_sync_after: 1000 }).success,
    );
  });
});

describe("what a sync means for the job", () => {
  test("nothing, where the agent has none", () => {
    always(
      (each) => !claimed(each),
      ({ effect }) => effect.kind === "none",
    );
  });

  test("nothing, while the agent starts or stops it", () => {
    always(
      ({ state }) => state === "starting-job" || state === "stopping-job",
      ({ effect }) => effect.kind === "none",
    );
  });

  test("nothing, where the agent speaks of another", () => {
    always(
      (each) => each.state !== "waiting-for-jobs" && each.reported !== jobId,
      ({ effect }) => effect.kind === "none",
    );
  });

  test("only what the state machine opens", () => {
    const transitions = { finish: "finish", release: "release" } as const;
    always(
      ({ effect }) => effect.kind in transitions,
      ({ effect, job }) => nextState(jobs[job]?.job.state ?? "finished", effect.kind as "finish") !== null,
    );
  });

  test("it is handed out exactly when run-job is answered: the alarm is armed before the agent hears of it", () => {
    always(
      () => true,
      ({ effect, answer }) => (effect.kind === "hand_out") === (answer.action === "run-job"),
    );
  });

  test("hand-over is closed by the first sync that says running-job, and only by that", () => {
    always(
      (each) => each.state === "running-job" && each.reported === jobId && claimed(each),
      ({ job, effect }) => (effect.kind === "close_fetch") === (jobs[job]?.fetchClosed === false),
    );
    always(
      ({ effect }) => effect.kind === "close_fetch",
      ({ state }) => state === "running-job",
    );
  });

  test("it goes back to the queue only while nothing of it was handed over", () => {
    always(
      ({ effect }) => effect.kind === "release",
      (each) =>
        each.job === "unfetched" && (ends(each) || (each.state === "waiting-for-jobs" && each.interruptedAt > 0)),
    );
    always(
      (each) => ends(each) && each.job === "unfetched" && each.reported === jobId,
      ({ effect }) => effect.kind === "release",
    );
  });

  test("the third agent that never got it is the last", () => {
    const third = storedJob({ job: { claim_number: 3 }, handedOver: false, fetchClosed: false });
    const request = SyncRequest.parse({ state: "finished-job", job_id: jobId, job_result: "passed" });
    expect(decideSync(storedAgent(), third, request, now).effect).toMatchObject({ kind: "finish", result: "failed" });
  });

  test("one that an agent claims to run without ever having fetched it fails, even if that says passed", () => {
    const unfetched = storedJob({ handedOver: false, fetchClosed: true });
    const request = SyncRequest.parse({ state: "finished-job", job_id: jobId, job_result: "passed" });
    expect(decideSync(storedAgent(), unfetched, request, now).effect).toMatchObject({
      kind: "finish",
      result: "failed",
    });
  });

  test("it ends with what its agent said, and as failed where that said nothing", () => {
    always(
      (each) => each.state === "finished-job" && each.reported === jobId && wasHandedOver(each),
      ({ effect, result }) => effect.kind === "finish" && effect.result === (result || "failed"),
    );
  });

  test("it ends as failed where its agent could not begin it, whatever result that claims", () => {
    always(
      (each) => each.state.startsWith("failed-to-") && each.reported === jobId && wasHandedOver(each),
      ({ effect }) => effect.kind === "finish" && effect.result === "failed",
    );
  });

  test("one that was stopped before it was handed over ends as stopped, although its empty self passed", () => {
    always(
      (each) => ends(each) && each.job === "stopping_unfetched" && each.reported === jobId,
      ({ effect }) => effect.kind === "finish" && effect.result === "stopped" && effect.reason === "asked by somebody",
    );
  });

  test("a job that ends as stopped says why", () => {
    always(
      (each) => isStopping(each) && each.effect.kind === "finish" && each.effect.result === "stopped",
      ({ effect }) => effect.kind === "finish" && effect.reason === "asked by somebody",
    );
  });

  test("one whose agent came back without it has failed", () => {
    always(
      (each) => each.state === "waiting-for-jobs" && wasHandedOver(each),
      ({ effect }) => effect.kind === "finish" && effect.result === "failed" && effect.reason !== null,
    );
  });
});

describe("what is answered", () => {
  test("run-job again and again until the agent reports the job", () => {
    always(
      (each) => each.state === "waiting-for-jobs" && each.job === "unfetched" && each.interruptedAt === 0,
      ({ answer }) => answer.action === "run-job" && answer.job_id === jobId,
    );
  });

  test("stop-job to an agent that runs what is not its own, or what is being stopped", () => {
    always(
      (each) =>
        each.state === "running-job" &&
        (each.reported === otherId || (each.reported === jobId && (isStopping(each) || !claimed(each)))),
      ({ answer, reported }) => answer.action === "stop-job" && answer.job_id === reported,
    );
  });

  test("an interrupted agent may run on for its grace period, and is then told to stop", () => {
    const runs = (each: Decided) =>
      each.state === "running-job" && each.reported === jobId && claimed(each) && !isStopping(each);
    always(runs, ({ answer, interruptedAt }) => {
      const isOver = interruptedAt > 0 && now - interruptedAt >= 30_000;
      return answer.action === (isOver ? "stop-job" : "continue");
    });
  });

  test("the grace period ends in its very millisecond", () => {
    const at = (interruptedAt: number) =>
      decideSync(
        storedAgent({ interruptedAt: interruptedAt as EpochMs, interruptionGraceSeconds: 30 }),
        jobs.running,
        SyncRequest.parse({ state: "running-job", job_id: jobId }),
        now,
      ).answer.action;
    expect([at(now - 29_999), at(now - 30_000)]).toEqual(["continue", "stop-job"]);
  });

  test("shutdown to an agent that has ended its job, where it takes one only or was interrupted", () => {
    always(ends, ({ answer, singleJob, interruptedAt }) => {
      if (singleJob) return answer.shutdown_reason === "job-finished";
      return answer.shutdown_reason === (interruptedAt > 0 ? "interrupted" : "");
    });
  });

  test("shutdown to an agent that waits and was interrupted", () => {
    always(
      (each) => each.state === "waiting-for-jobs" && !claimed(each) && each.interruptedAt > 0,
      ({ answer }) => answer.action === "shutdown" && answer.shutdown_reason === "interrupted",
    );
  });

  test("shutdown to an agent that has idled out, which one without a timeout never does", () => {
    always(
      (each) => each.state === "waiting-for-jobs" && !claimed(each) && each.interruptedAt === 0,
      ({ answer, idleTimeoutSeconds }) =>
        idleTimeoutSeconds === 50 ? answer.shutdown_reason === "idle" : answer.action === "continue",
    );
  });

  test("the idle timeout ends in its very millisecond", () => {
    const at = (stateChangedAt: number) =>
      decideSync(
        storedAgent({ idleTimeoutSeconds: 50, stateChangedAt: stateChangedAt as EpochMs }),
        null,
        SyncRequest.parse({ state: "waiting-for-jobs" }),
        now,
      ).answer.action;
    expect([at(now - 49_999), at(now - 50_000)]).toEqual(["continue", "shutdown"]);
  });
});
