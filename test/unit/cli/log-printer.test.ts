import { expect, it } from "vitest";
import { createLogPrinter, type LogStyle } from "../../../src/cli/log-printer.ts";
import type { LogEvent } from "../../../src/protocol/log-events.ts";

function printed(style: LogStyle, events: readonly LogEvent[]): string {
  const written: string[] = [];
  const raw = (text: string) => written.push(text);
  const printer = createLogPrinter({ colour: false, raw, note: raw } as never, style);
  for (const [position, event] of events.entries()) printer.print({ kind: "event", position, event });
  printer.end();
  return written.join("");
}

const started = { event: "cmd_started", timestamp: 1, directive: "next" } as const;
const finished = {
  event: "cmd_finished",
  timestamp: 2,
  directive: "printf hun",
  exit_code: 0,
  started_at: 1,
  finished_at: 1,
} as const;

it("output that masking held back until another event is printed ahead of that event", () => {
  const events: LogEvent[] = [
    { event: "cmd_output", timestamp: 1, output: "see " },
    { ...finished, output: "hun" },
  ];
  expect(printed("raw", events)).toBe("see hun");
  expect(printed("human", events)).toBe("see hun\n[exit 0, under 1 s]\n");
  expect(printed("raw", [{ ...started, output: "hun\n" }])).toBe("hun\nnext\n");
  expect(printed("human", [{ ...started, output: "hun" }])).toBe("hun\n$ next\n");
  expect(printed("json", events)).toContain('"output":"hun"');
});
