/** Histories of pushes under one fault each: what the producer was told is what every viewer and a late reader see. */
import type { Random } from "./fault.ts";
import { bodyOf, differences, Model } from "./model.ts";
import type { RoomFault, Trial } from "./room-fault.ts";
import { FaultViewer } from "./viewer.ts";
import { pause } from "./world.ts";

interface Step extends Trial {
  readonly viewers: readonly FaultViewer[];
  /** The last batches, for who sends again. */
  readonly sent: readonly Batch[];
  readonly head: number;
}

interface Batch {
  readonly startFrom: number;
  readonly outputs: readonly string[];
}

interface Injection {
  /** The batch that goes out at this step; the next in order, where it is not told. */
  batch?(step: Step): Batch;
  /** Happens while the push is under way, or before it. */
  during?(step: Step): Promise<void>;
}

const steps = 12;

async function runHistory(trial: Trial, { batch, during }: Injection): Promise<string[]> {
  const { world, job, random } = trial;
  await world.arm(job, []);
  const model = new Model();
  const viewers = [new FaultViewer(world, job)];
  const sent: Batch[] = [];
  const violations: string[] = [];
  for (let at = 0; at < steps; at++) {
    if (at === steps / 2) viewers.push(new FaultViewer(world, job, { who: "late" }));
    const step: Step = { ...trial, viewers, sent, head: model.head };
    const next = batch?.(step) ?? nextBatch(step);
    const push = world.push(job, next.startFrom, bodyOf(next.startFrom, next.outputs));
    const [status] = await Promise.all([push, during?.(step)]);
    if (status === 200) model.acknowledged(next.startFrom, next.outputs);
    else violations.push(`a push was answered ${status}`);
    sent.push(next);
    await pause(random(3));
  }
  await world.call(job, "finish", { result: "passed", notice: null });
  const expected = model.ended("passed");
  viewers.push(new FaultViewer(world, job, { who: "reader" }));
  for (const [at, viewer] of viewers.entries()) {
    await viewer.ended();
    if (viewer.broken !== null) violations.push(`viewer ${at}: ${viewer.broken}`);
    else violations.push(...differences(`viewer ${at}`, expected, viewer.shown));
  }
  return violations;
}

function nextBatch({ head, random }: Step): Batch {
  return { startFrom: head, outputs: outputsOf(random, 1 + random(40)) };
}

function outputsOf(random: Random, count: number): string[] {
  return Array.from({ length: count }, () => {
    const size = random(40) === 0 ? 300_000 : random(120);
    return `${random(1e9).toString(36)}${"é\u001b[31m\n".repeat(size / 8)}`;
  });
}

/** Every other step is an ordinary one. */
function sometimes(random: Random): boolean {
  return random(2) === 0;
}

export const histories: readonly RoomFault[] = [
  {
    name: "kill",
    promise: "what was acknowledged survives kill -9 in mid-append, once and in order",
    planted: "acks_unstored",
    trials: 10,
    run: (trial) => {
      const fatal = new Set([1 + trial.random(steps - 1), 1 + trial.random(steps - 1)]);
      let step = 0;
      return runHistory(trial, {
        async during({ world, random, viewers }) {
          if (!fatal.has(step++)) return;
          await pause(random(12));
          world.kill();
          for (const viewer of viewers) viewer.cut();
        },
      });
    },
  },
  {
    name: "deploy",
    promise: "a deploy in mid-stream loses nothing, and viewers resume",
    planted: "acks_unstored",
    trials: 3,
    run: (trial) => {
      const at = 1 + trial.random(steps - 1);
      let step = 0;
      return runHistory(trial, {
        async during({ world, viewers }) {
          if (step++ !== at) return;
          await world.deploy();
          for (const viewer of viewers) viewer.cut();
        },
      });
    },
  },
  {
    name: "evict",
    promise: "viewers go on from their place over evictions and hibernation, nothing lost or twice",
    planted: "skips_frames",
    trials: 20,
    run: (trial) =>
      runHistory(trial, {
        async during({ world, job, random, head }) {
          if (head > 0 && sometimes(random)) await world.evict(job, random(2) === 0 ? "hibernate" : "close");
        },
      }),
  },
  {
    name: "duplicate",
    promise: "what is sent again, also grown, is stored once",
    planted: "stores_twice",
    trials: 30,
    run: (trial) =>
      runHistory(trial, {
        batch(step) {
          const last = step.sent.at(-1 - step.random(3));
          if (last === undefined || sometimes(step.random)) return nextBatch(step);
          const isAtHead = last.startFrom + last.outputs.length === step.head;
          const grown = isAtHead ? outputsOf(step.random, step.random(10)) : [];
          return { ...last, outputs: [...last.outputs, ...grown] };
        },
      }),
  },
  {
    name: "gap",
    promise: "what never arrived is told as a gap, to every viewer, in its place",
    planted: "hides_gaps",
    trials: 30,
    run: (trial) =>
      runHistory(trial, {
        batch(step) {
          const next = nextBatch(step);
          return sometimes(step.random) ? { ...next, startFrom: next.startFrom + 1 + step.random(50) } : next;
        },
      }),
  },
  {
    name: "rewrite",
    promise: "what is stored wins over whatever is sent for its position later",
    planted: "last_wins",
    trials: 30,
    run: (trial) =>
      runHistory(trial, {
        batch(step) {
          const last = step.sent.at(-1);
          if (last === undefined || sometimes(step.random)) return nextBatch(step);
          return { ...last, outputs: outputsOf(step.random, last.outputs.length) };
        },
      }),
  },
];
