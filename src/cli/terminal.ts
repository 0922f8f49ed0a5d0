/**
 * What may reach a terminal. A job's output is a stranger's bytes: escape sequences in it could rewrite the
 * screen, the title or the clipboard (OSC 52), or answer into the shell. All control characters are made visible
 * but for tab and newline, and for SGR colours and styles, of which only the hidden one can do harm.
 */

const esc = "\u001b";
/** Colours and styles: CSI, digits with ; or :, m. */
const sgrPattern = `${esc}\\[[0-9;:]{0,40}m`;
/** What of a text's end may be the beginning of such a sequence, whose rest comes with the next event. */
const unfinishedSgr = new RegExp(`${esc}(\\[[0-9;:]{0,40})?$`);
/**
 * C0 (but for tab, newline and return), DEL, C1, and the marks that reorder text (UAX 9; "Trojan Source"):
 * ALM, LRM and RLM, LRE to RLO, the isolates, and line and paragraph separators.
 */
const hostile = new RegExp(
  `(${sgrPattern})|(\\r\\n)|[\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069]`,
  "g",
);

/** One piece of text, made inert on one line; with `lines`, its newlines stay. */
export function printable(text: string, options: { lines?: boolean } = {}): string {
  const inert = text.replace(hostile, (found, _sgr, newline) => (newline ? "\n" : visible(found)));
  return options.lines ? inert : inert.replaceAll("\n", "\\n").replaceAll("\t", " ");
}

/**
 * Output that arrives in pieces, cut anywhere. A lone return (a progress bar) becomes a new line: shown as
 * itself it would let a job overwrite what it printed.
 */
export function createOutputFilter(options: { colour: boolean }): { push(text: string): string; end(): string } {
  let held = "";
  const filter = (text: string) =>
    text.replace(hostile, (found, sgr, newline) => {
      if (newline || found === "\r") return "\n";
      if (sgr && !conceals(sgr)) return options.colour ? found : "";
      return visible(found);
    });
  return {
    push(text) {
      const whole = held + text;
      // A return may be half of a line's end whose other half comes next.
      held = unfinishedSgr.exec(whole)?.[0] ?? (whole.endsWith("\r") ? "\r" : "");
      return filter(whole.slice(0, whole.length - held.length));
    },
    end() {
      const rest = filter(held);
      held = "";
      return rest;
    },
  };
}

/**
 * Whether a style hides text (SGR 8): a person would copy what he does not see. The 8 of a colour by number (`38;5;8`)
 * hides nothing; where terminals differ in reading a sequence, the worse reading counts.
 */
function conceals(sgr: string): boolean {
  const parameters = sgr.slice(2, -1).split(";");
  for (let at = 0; at < parameters.length; at++) {
    const parameter = parameters[at] ?? "";
    if (Number.parseInt(parameter, 10) === 8) return true;
    if (["38", "48"].includes(parameter)) at += colourLength(parameters.slice(at + 1));
  }
  return false;
}

/** How many parameters name the colour: `5;N` or `2;R;G;B`. */
function colourLength([kind, ...values]: readonly string[]): number {
  const length = kind === "5" ? 1 : kind === "2" ? 3 : 0;
  return length > 0 && values.length >= length ? length + 1 : 0;
}

/** Control pictures for C0 and DEL; code points for the others. */
function visible(text: string): string {
  return [...text]
    .map((character) => {
      const code = character.codePointAt(0) ?? 0;
      if (code < 0x20) return String.fromCodePoint(0x2400 + code);
      if (code === 0x7f) return "\u2421";
      return code < 0x80 ? character : `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
    })
    .join("");
}

/** JSON that a terminal shows as it is: what JSON leaves unescaped but a terminal may obey is escaped too. */
export function printableJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    /[\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
