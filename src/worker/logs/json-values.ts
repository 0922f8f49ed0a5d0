/**
 * How much a parser would make of a JSON text, told without one: of two bytes, `[]` or `0,`, it makes an object or a number of up to
 * a hundred, so that a hostile push would take a gigabyte of an isolate which others' logs live in. Pure.
 */

const [quote, comma, openingBracket, backslash, openingBrace] = [0x22, 0x2c, 0x5b, 0x5c, 0x7b];

/**
 * Whether more than `most` arrays, objects and further members begin in it. Where the text is no JSON a parser stops before
 * this is wrong.
 */
export function hasMoreValues(json: Uint8Array, most: number): boolean {
  let [count, isString] = [0, false];
  for (let at = 0; at < json.length && count <= most; at++) {
    const byte = json[at];
    if (byte === quote) isString = !isString;
    else if (isString && byte === backslash) at++;
    else if (!isString && (byte === comma || byte === openingBracket || byte === openingBrace)) count++;
  }
  return count > most;
}
