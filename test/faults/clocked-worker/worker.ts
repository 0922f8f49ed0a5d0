/** The real Worker by the clock that comes with each request: a day of rotation takes seconds. It never goes back. */
import worker from "../../../src/worker/index.ts";

export { Feed, LogRoom } from "../../../src/worker/index.ts";

let now = 0;
// The one place where the Worker reads a clock (src/worker/lib/time.ts).
Date.now = () => now;

export default {
  fetch(request, env) {
    now = Math.max(now, Number(request.headers.get("x-test-now")));
    return worker.fetch(request, env);
  },
} satisfies ExportedHandler<Parameters<typeof worker.fetch>[1]>;
