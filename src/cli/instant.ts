/** Unix times in words. */

const steps = [
  [86_400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
] as const;

/** `2026-11-20 18:10:13 UTC, in 59 minutes`. */
export function instant(seconds: number, now: number): string {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "no time that a calendar holds";
  const away = Math.round(Math.abs(seconds - now));
  const [unit, word] = steps.find(([length]) => away >= length) ?? [1, "second"];
  const count = Math.floor(away / unit);
  const amount = `${count} ${word}${count === 1 ? "" : "s"}`;
  const relation = away < 1 ? "now" : seconds > now ? `in ${amount}` : `${amount} ago`;
  return `${date.toISOString().slice(0, 19).replace("T", " ")} UTC, ${relation}`;
}
