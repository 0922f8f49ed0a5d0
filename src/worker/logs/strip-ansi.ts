/**
 * Takes terminal sequences (ECMA-48) out of text that comes in pieces, cut anywhere. Only the state is kept between
 * pieces, so that a sequence without end costs no memory. Pure.
 */

type State = "text" | "escape" | "control" | "string" | "string_escape";

/** ESC, and the 8-bit forms of DCS, SOS, CSI, OSC, PM and APC. */
const starts = new RegExp(`[${"\u001b"}\\u0090\\u0098\\u009b\\u009d-\\u009f]`, "g");
const bell = 0x07;
const esc = 0x1b;
const stringTerminator = 0x9c;

export function createAnsiStripper(): (text: string) => string {
  let state: State = "text";
  return (text) => {
    let kept = "";
    for (let at = 0; at < text.length; ) {
      if (state === "text") {
        starts.lastIndex = at;
        const start = starts.exec(text)?.index ?? text.length;
        kept += text.slice(at, start);
        if (start < text.length) state = afterStart(text.charCodeAt(start));
        at = start + 1;
      } else {
        const code = text.charCodeAt(at);
        // A line never ends inside a sequence: one that was not finished must not swallow the log behind it.
        if (code === 0x0a || code === 0x0d) state = "text";
        else {
          state = next(state, code);
          at++;
        }
      }
    }
    return kept;
  };
}

/** The 8-bit forms say in one character what ESC and a letter say in two. */
function afterStart(code: number): State {
  if (code === esc) return "escape";
  return code === 0x9b ? "control" : "string";
}

function next(state: Exclude<State, "text">, code: number): State {
  // CAN and SUB end any sequence; ESC begins another, but in a string, where it may be the terminator's first half.
  if (code === 0x18 || code === 0x1a) return "text";
  switch (state) {
    case "escape":
      return afterEscape(code);
    case "control":
      if (code === esc) return "escape";
      return code >= 0x40 && code <= 0x7e ? "text" : "control";
    case "string":
      if (code === bell || code === stringTerminator) return "text";
      return code === esc ? "string_escape" : "string";
    case "string_escape":
      return afterEscape(code);
  }
}

/** `[` begins a control sequence; `P`, `X`, `]`, `^` and `_` a string; intermediates go on; any other ends it. */
function afterEscape(code: number): State {
  if (code === esc || (code >= 0x20 && code <= 0x2f)) return "escape";
  if (code === 0x5b) return "control";
  return [0x50, 0x58, 0x5d, 0x5e, 0x5f].includes(code) ? "string" : "text";
}
