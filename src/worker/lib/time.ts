/** One clock. Inside the Worker time is milliseconds since the epoch; tokens and the agent protocol use seconds. */

export type EpochMs = number & { readonly unit: "ms" };
export type EpochSeconds = number & { readonly unit: "s" };

export type Clock = () => EpochMs;

export const systemClock: Clock = () => Date.now() as EpochMs;

export function toSeconds(at: EpochMs): EpochSeconds {
  return Math.floor(at / 1000) as EpochSeconds;
}

export function plusSeconds(at: EpochMs, seconds: number): EpochMs {
  return (at + seconds * 1000) as EpochMs;
}

/** RFC 3339 in UTC with milliseconds, as every answer shows time. */
export function toTimestamp(at: number): string {
  return new Date(at).toISOString();
}

export function toTimestampOrNull(at: number | null): string | null {
  return at === null ? null : toTimestamp(at);
}
