/** What `signalbox trust` prints for people. */
import type { GeneratedTrust, TrustExplanation, TrustFinding, TrustResult } from "../protocol/trust.ts";
import { type Colour, type Output, paint } from "./output.ts";

export function showGenerated(output: Output, { artifacts, notes, audience, subject_form }: GeneratedTrust): void {
  output.note(`audience ${audience}, subject form ${subject_form}; --only FILE prints one file`);
  for (const { name, title, text } of artifacts) {
    output.line(`# ${title}: ${name}`);
    output.raw(text);
    output.line("");
  }
  for (const note of notes) output.note(note);
}

export function showFindings(output: Output, findings: readonly TrustFinding[]): void {
  if (findings.length === 0) output.line("nothing found");
  for (const { rule, severity, at, message, fix } of findings) {
    output.line(`${severity} ${rule}${at === "" ? "" : ` at ${at}`}`);
    output.line(`  ${message}`);
    output.line(`  fix: ${fix}`);
  }
}

const marks: Record<TrustResult, [word: string, colour: Colour]> = {
  met: ["met", "green"],
  not_met: ["NOT MET", "red"],
  unknown: ["unknown", "yellow"],
};

export function showExplanation(output: Output, { verdict, because, parts, assumes }: TrustExplanation): void {
  output.line(`${verdict}: ${because}`);
  for (const { name, role, result, checks } of parts) {
    output.line("");
    output.line(
      `${name}${role === "any" ? " (one of these is enough)" : role === "deny" ? " (a deny)" : ""}: ${marks[result][0]}`,
    );
    for (const check of checks) showCheck(output, check);
  }
  output.line("");
  for (const assumed of assumes) output.line(`taken for granted: ${assumed}`);
}

function showCheck(
  output: Output,
  { at, test, expected, seen, result, hint }: TrustExplanation["parts"][number]["checks"][number],
): void {
  const [word, colour] = marks[result];
  // The filter of lines would take the colour out: the word alone is painted, and it is ours.
  output.raw(`  ${paint(output.colour, colour, word.padEnd(7))}  `);
  output.line(`${at}: ${test}`);
  if (expected.length > 0) output.line(`           policy: ${expected.join(" | ")}`);
  output.line(`           token:  ${seen === null ? "nothing" : seen.join(" | ")}`);
  if (hint !== null) output.line(`           ${result === "met" ? "note" : "hint"}:   ${hint}`);
}
