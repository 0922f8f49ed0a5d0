/** Positions as a query tells them. Pure. */

/** A position in a log. Null where it is missing or none. */
export function readPosition(text: string | null): number | null {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : null;
}

/** `start_from`: no log has so many events, and what is behind it must still be a position. */
export function readStartFrom(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text) ? Number(text) : null;
}
