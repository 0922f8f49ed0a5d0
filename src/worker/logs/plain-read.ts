/** Pages of the stored log as the protocol's plain read answers them (AGENT-PROTOCOL section 5.5). Pure. */
import { LogEvent } from "../../protocol/log-events.ts";
import { concat, fromUtf8, utf8 } from "../lib/bytes.ts";
import type { EventsPage } from "./page.ts";

/** `{"events":[…],"next":N}`, the events in the very bytes that are stored; `next` is null once nothing follows. */
export function pageAsJson({ events, next, isFinal }: EventsPage): Uint8Array<ArrayBuffer> {
  // A line end inside an event is escaped, so each one here stands between two events.
  const list = events.slice(0, Math.max(0, events.length - 1)).map((byte) => (byte === 0x0a ? 0x2c : byte));
  return concat(utf8('{"events":['), list, utf8(`],"next":${isFinal ? "null" : next}}`));
}

/** `{"position":N,"event":…}`, the page's first event in the very bytes that are stored; null where it has none. */
export function eventAsJson({ events }: EventsPage, position: number): Uint8Array<ArrayBuffer> | null {
  const end = events.indexOf(0x0a);
  return end < 0 ? null : concat(utf8(`{"position":${position},"event":`), events.subarray(0, end), utf8("}"));
}

/** What a terminal showed: the directive of each command and what came out. */
export function pageAsText(page: EventsPage): string {
  return textsOf(page).join("");
}

/** The same for each event. */
export function textsOf({ events }: EventsPage): string[] {
  const lines = fromUtf8(events).split("\n");
  // Every event has its line end: behind the last there is nothing.
  lines.pop();
  return lines.map((line) => textOf(JSON.parse(line)));
}

function textOf(stored: unknown): string {
  const event = LogEvent.parse(stored);
  const output = event.output ?? "";
  return event.event === "cmd_started" ? `${output}${event.directive}\n` : output;
}
