/** Where the command's words go: results to stdout, as text or JSON; everything about them to stderr. */
import { printable, printableJson } from "./terminal.ts";

export interface Sink {
  write(text: string): unknown;
  isTTY?: boolean | undefined;
}

export interface Output {
  readonly colour: boolean;
  /** A line of the result. Filtered: it may hold what others named. */
  line(text: string): void;
  /** Text that is already safe, or that the user asked for as it is. */
  raw(text: string): void;
  json(value: unknown): void;
  /** A word to the person, beside the result. */
  note(text: string): void;
  /** Without a head: names and values. */
  table(head: readonly string[], rows: readonly (readonly string[])[]): void;
}

export function createOutput(stdout: Sink, stderr: Sink, env: Readonly<Record<string, string | undefined>>): Output {
  const line = (text: string) => void stdout.write(`${printable(text)}\n`);
  return {
    // https://no-color.org: any value that is not empty.
    colour: stdout.isTTY === true && !env.NO_COLOR && env.TERM !== "dumb",
    line,
    raw: (text) => void stdout.write(text),
    json: (value) => void stdout.write(`${printableJson(value, stdout.isTTY ? 2 : undefined)}\n`),
    note: (text) => void stderr.write(`${printable(text, { lines: true })}\n`),
    table(head, rows) {
      for (const row of aligned(head.length === 0 ? rows : [head, ...rows])) line(row);
    },
  };
}

export type Colour = "bold" | "dim" | "red" | "green" | "yellow";
const sgr: Record<Colour, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33 };

export function paint(colour: boolean, kind: Colour, text: string): string {
  return colour ? `\u001b[${sgr[kind]}m${text}\u001b[0m` : text;
}

function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, printable(cell).length);
    });
  }
  return rows.map((row) =>
    row
      .map((cell, column) => printable(cell).padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
