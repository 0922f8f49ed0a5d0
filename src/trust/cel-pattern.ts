/** What a regular expression of a condition lets through, as far as a linter can tell. */

export interface PatternReach {
  /** It looks at the whole value. */
  readonly anchored: boolean;
  /** Texts that every value begins with one of. */
  readonly beginnings: readonly string[];
  /** The beginnings are the values, whole. */
  readonly exact: boolean;
}

const literalRun = /^(?:[A-Za-z0-9_:/@%=,~-]|\\[^A-Za-z0-9])*/;

export function reachOf(pattern: string): PatternReach {
  const anchored = /^\^.*(?<!\\)\$$/s.test(pattern) && !hasOpenAlternative(pattern);
  const body = pattern.replace(/^\^/, "").replace(/\$$/, "");
  const beginning = literalBeginning(body);
  const rest = body.slice(beginning.length);
  const names = /^\(((?:[A-Za-z0-9_:/@%=,~|-]|\\[^A-Za-z0-9])*)\)(?![*?{])/.exec(rest);
  if (names === null) return { anchored, beginnings: [unescaped(beginning)], exact: anchored && rest === "" };
  const beginnings = (names[1] ?? "").split("|").map((name) => unescaped(beginning + name));
  return { anchored, beginnings, exact: anchored && rest === names[0] };
}

/** A character that is repeated or optional is not there for certain. */
function literalBeginning(body: string): string {
  const run = literalRun.exec(body)?.[0] ?? "";
  return /^[*?{]/.test(body.slice(run.length)) ? run.replace(/(?:\\.|.)$/s, "") : run;
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, "$1");
}

/** `^a$|^b$`: a `|` outside of groups, past which neither end holds. */
function hasOpenAlternative(pattern: string): boolean {
  let depth = 0;
  let isClass = false;
  for (const [token] of pattern.matchAll(/\\.|[\s\S]/g)) {
    if (token === "[") isClass = true;
    else if (token === "]") isClass = false;
    if (isClass) continue;
    if (token === "(") depth++;
    if (token === ")") depth--;
    if (token === "|" && depth === 0) return true;
  }
  return false;
}
