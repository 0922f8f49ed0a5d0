/** What masking costs: pushes with 50 secrets of 40 characters armed, against the same pushes with none. */
import { randomBytes } from "node:crypto";
import type { Bench } from "./runner/bench.ts";
import { openLogRooms } from "./runner/log-rooms.ts";

const pushes = 20;
const secrets = Array.from({ length: 50 }, () => randomBytes(20).toString("hex"));
const masks = secrets.map((value, index) => ({ name: `SECRET_${index}`, value }));

export const benches: readonly Bench[] = [
  {
    rows: [{ name: "masking 50 secrets", unit: "events/s", better: "higher", goal: 0.8, floor: 0.7 }],
    pairs: 11,
    async open() {
      const rooms = await openLogRooms(secrets);
      const rate = async (job: string, armed: typeof masks) => {
        await rooms.arm(job, armed);
        // Opens the masks and compiles them, which a job pays once.
        await rooms.push(job, 0);
        const started = performance.now();
        for (let push = 1; push <= pushes; push++) await rooms.push(job, push);
        return [(pushes * rooms.eventsPerPush * 1000) / (performance.now() - started)];
      };
      return {
        ours: (round) => rate(`masked-${round}`, masks),
        baseline: (round) => rate(`plain-${round}`, []),
        close: rooms.close,
      };
    },
  },
];
