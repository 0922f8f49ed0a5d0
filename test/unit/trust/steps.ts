/** How many functions are called while something is done: what a quadratic cost shows in, whatever the machine. */
import { type Profiler, Session } from "node:inspector";

export function callsDuring(work: () => unknown): number {
  const session = new Session();
  session.connect();
  let taken: Profiler.TakePreciseCoverageReturnType = { result: [] };
  try {
    session.post("Profiler.enable");
    session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    work();
    session.post("Profiler.takePreciseCoverage", (_error, coverage) => {
      taken = coverage;
    });
    session.post("Profiler.stopPreciseCoverage");
  } finally {
    session.disconnect();
  }
  const ranges = taken.result.flatMap(({ functions }) => functions.flatMap((each) => each.ranges));
  return ranges.reduce((sum, { count }) => sum + count, 0);
}
