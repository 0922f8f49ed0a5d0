/** What doctor says of one thing that it looked at. */
export type Verdict = "ok" | "warning" | "failure";

export interface Finding {
  readonly check: string;
  readonly verdict: Verdict;
  readonly detail: string;
  /** What to do about it; null where nothing is to be done. */
  readonly remedy: string | null;
}

export function ok(check: string, detail: string): Finding {
  return { check, verdict: "ok", detail, remedy: null };
}

export function warning(check: string, detail: string, remedy: string): Finding {
  return { check, verdict: "warning", detail, remedy };
}

export function failure(check: string, detail: string, remedy: string): Finding {
  return { check, verdict: "failure", detail, remedy };
}
