/** The edge's way to a room. Whoever calls has settled who asks: the room believes what stands here. */
import { upgradeHeaders } from "../accounts/socket-wire.ts";
import { relayed } from "../lib/socket-relay.ts";
import type { Clock } from "../lib/time.ts";
import type { LogRoomObject } from "./log-room.ts";

export type LogRooms<Env> = DurableObjectNamespace<LogRoomObject<Env>>;
export type LogRoomStub<Env> = DurableObjectStub<LogRoomObject<Env>>;

/** The job's room. The name matters: until it is armed a room knows its job by it. */
export function roomOf<Env>(rooms: LogRooms<Env>, jobId: string): LogRoomStub<Env> {
  return rooms.getByName(jobId);
}

/** The agent's push, as a stream: the room counts what comes. Answers with the protocol's status and no body. */
export function forwardPush<Env>(
  room: LogRoomStub<Env>,
  request: Request,
  startFrom: number,
  claimNumber: number,
): Promise<Response> {
  const url = `https://room/push?start_from=${startFrom}&claim=${claimNumber}`;
  return room.fetch(url, { method: "POST", body: request.body });
}

export interface ViewerOpening {
  readonly from: number;
  readonly principalId: string;
  /** The job was seen to have ended: a room that knows of no end may be an emptied one. */
  readonly hasEnded?: boolean;
}

/** The upgrade; 101 or a close code. */
export async function forwardViewer<Env>(
  room: LogRoomStub<Env>,
  request: Request,
  { from, principalId, hasEnded = false }: ViewerOpening,
  clock: Clock,
): Promise<Response> {
  const headers = upgradeHeaders(request, principalId);
  const url = `https://room/view?from=${from}${hasEnded ? "&ended" : ""}`;
  return relayed(await room.fetch(url, { headers }), principalId, clock);
}
