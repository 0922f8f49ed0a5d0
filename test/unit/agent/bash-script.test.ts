import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { commandScript, exportCommand } from "../../../src/agent/bash-script.ts";

test("tracing is on in a command only where the job had switched it on", () => {
  expect(commandScript("true", "N", "hB")).not.toContain("set -");
  expect(commandScript("true", "N", "hxB")).toContain("\nset -x; true\n");
  expect(commandScript("true", "N", "hvxB")).toContain("\nset -vx; true\n");
});

test("a command cannot end its own here-document, since it cannot know the number in its delimiter", () => {
  const script = commandScript("SIGNALBOX_\nSIGNALBOX_X\n'EOF'", "0123", "");
  expect(script.split("\n").filter((line) => line === "SIGNALBOX_0123")).toHaveLength(1);
});

test("a NUL, which no shell can read, is left out", () => {
  expect(commandScript("a\0b", "N", "")).toContain("\nab\n");
});

test.each(["plain", "it's", "a\nb", '$(id) `id` "$HOME" \\', "'''", ""])(
  "the shell reads %j back as it was",
  (value) => {
    const script = `${exportCommand("NAME", value)}; printf '%s' "$NAME"`;
    expect(execFileSync("bash", ["-c", script], { encoding: "utf8" })).toBe(value);
  },
);
