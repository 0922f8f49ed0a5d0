/**
 * The viewer's wire: `/api/ws?job_id=…&from=N`, subprotocol `signalbox.v1` (docs/log-protocol.md).
 *
 * A frame from the server is binary: one JSON header line, then (for `events`) NDJSON bytes as they are stored.
 * The client acknowledges with `{"ack":N}`, N being the total bytes of whole frames received since the socket
 * opened: at once for the first frame, then every half credit. The server sends while sent - acked < credit.
 * Gap, notice and end are the server's own records: no agent can forge a frame kind.
 */
import * as z from "zod";
import { Sha256 } from "./ids.ts";

const position = z.int().min(0);

export const FrameHeader = z.discriminatedUnion("kind", [
  /** `count` whole events from `position`; or one part of a large event, `part` (from 1) of `parts`, counted at the last. */
  z.object({
    kind: z.literal("events"),
    position,
    count: z.int().min(0),
    credit: z.int(),
    part: z.int().optional(),
    parts: z.int().optional(),
  }),
  /** The events from `position` up to `until` never arrived. */
  z.object({ kind: z.literal("gap"), position, until: position, credit: z.int() }),
  /** Something that the server has to say at this place of the log. */
  z.object({ kind: z.literal("notice"), position, text: z.string(), credit: z.int() }),
  /** The log is final: `position` events in all, and the SHA-256 of their stored bytes. */
  z.object({
    kind: z.literal("end"),
    position,
    result: z.enum(["passed", "failed", "stopped"]),
    sha256: Sha256.optional(),
    credit: z.int(),
  }),
]);
export type FrameHeader = z.infer<typeof FrameHeader>;

export const ViewerMessage = z.strictObject({ ack: z.int().min(0) });

/** What a client sends every 25 s; answered without waking the room. */
export const socketPing = "ping";
export const socketPong = "pong";

/** Close codes of `/api/ws`. Codes from 4100 on may be resumed with the position reached. */
export const closeCodes = {
  /** The log ended and everything was sent. */
  done: 1000,
  /** A malformed or dishonest message. */
  policy: 1008,
  tooBig: 1009,
  /** What was watched is gone, or may no longer be seen. */
  gone: 4004,
  tooManyViewers: 4029,
  /** Nothing was acknowledged for too long. */
  stalled: 4100,
  /** Too many sockets of everybody are open: try again later. */
  crowded: 4101,
  /** One principal opened sockets too often: try again later. */
  tooOften: 4102,
  /** More messages than frames and time allow. */
  tooManyMessages: 4103,
} as const;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

export function encodeFrame(header: object, payload: Uint8Array = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const line = encoder.encode(`${JSON.stringify(header)}\n`);
  const frame = new Uint8Array(line.length + payload.length);
  frame.set(line);
  frame.set(payload, line.length);
  return frame;
}

/** @throws SyntaxError or ZodError where the bytes are no frame of a log. */
export function decodeFrame(frame: Uint8Array): { header: FrameHeader; payload: Uint8Array } {
  const { header, payload } = splitFrame(frame);
  return { header: FrameHeader.parse(header), payload };
}

/** Every frame, of logs and of the feed, is a JSON header line and a payload. @throws SyntaxError where there is none. */
export function splitFrame(frame: Uint8Array): { header: unknown; payload: Uint8Array } {
  const end = frame.indexOf(0x0a);
  if (end < 0) throw new SyntaxError("a frame begins with a header line");
  return { header: JSON.parse(decoder.decode(frame.subarray(0, end))), payload: frame.subarray(end + 1) };
}
