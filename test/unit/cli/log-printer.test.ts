import { expect, it } from "vitest";
import { createLogPrinter, type LogStyle } from "../../../src/cli/log-printer.ts";
import { createOutput } from "../../../src/cli/output.ts";
import type { LogEvent } from "../../../src/protocol/log-events.ts";

function printed(style: LogStyle, events: readonly LogEvent[], { isTTY = false, env = {} } = {}): string {
  const written: string[] = [];
  const sink = { write: (text: string) => written.push(text), isTTY };
  const printer = createLogPrinter(createOutput(sink, sink, env), style);
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

it("colours are for a terminal alone, ours and the job's, and not where NO_COLOR is set", () => {
  const events: LogEvent[] = [
    started,
    { event: "cmd_output", timestamp: 1, output: "\u001b[32mok\u001b[0m\n" },
    { ...finished, exit_code: 3 },
  ];
  const plain = "$ next\nok\n[exit 3, under 1 s]\n";
  expect(printed("human", events)).toBe(plain);
  expect(printed("human", events, { isTTY: true, env: { NO_COLOR: "1" } })).toBe(plain);
  const coloured = printed("human", events, { isTTY: true });
  for (const piece of ["\u001b[1m$ next\u001b[0m", "\u001b[32mok\u001b[0m", "\u001b[31m[exit 3, under 1 s]\u001b[0m"]) {
    expect(coloured).toContain(piece);
  }
});
