/** What `signalbox trust` prints for people. */
import type { ExplainedMint, GeneratedTrust, TrustExplanation, TrustFinding, TrustResult } from "../protocol/trust.ts";
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

export function showExplanation(output: Output, explanation: TrustExplanation): void {
  const { verdict, because, parts, assumes, mint, mints = [] } = explanation;
  output.line(`${verdict}: ${because}`);
  showMints(output, mints, mint ?? null);
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

/** Which of a past job's tokens is explained, and what of the others. */
function showMints(output: Output, mints: readonly ExplainedMint[], explained: string | null): void {
  for (const mint of mints.toSorted((one, other) => Number(other.jti === explained) - Number(one.jti === explained))) {
    const isExplained = mint.jti === explained;
    output.line("");
    output.line(`${isExplained ? "explained below" : `another, ${mint.verdict}`}: token ${mint.jti}`);
    if (!isExplained) output.line(`  ${mint.because}`);
    output.line(`  audience ${mint.audience}, subject form ${mint.subject_form ?? "unknown"}: ${mint.sub}`);
    const source = mint.is_default ? "SEMAPHORE_OIDC_TOKEN" : "asked for by the job";
    output.line(`  ${source}, ${mint.issued_at} to ${mint.expires_at}`);
    const tags = Object.entries(mint.aws_session_tags).map(([tag, value]) => `${tag}=${value}`);
    if (tags.length > 0) output.line(`  session tags ${tags.join(", ")}`);
    if (mint.claims !== null) output.line(`  chosen claims ${mint.claims.join(", ") || "none"}`);
  }
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
