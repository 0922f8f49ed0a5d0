import { describe, expect, it } from "vitest";
import { limits } from "../../../src/protocol/limits.ts";
import { acceptedProtocol } from "../../../src/worker/accounts/socket-wire.ts";
import { mayBeSent, onMessage, stalledAt } from "../../../src/worker/lib/socket-credit.ts";
import type { EpochMs } from "../../../src/worker/lib/time.ts";
import {
  afterSend,
  creditFor,
  frameBytesMax,
  newViewer,
  readViewer,
  type Viewer,
} from "../../../src/worker/logs/viewer.ts";
import { seeded } from "./seeded.ts";

const cursor = { seq: 1, offset: 0, position: 0, part: 0, parts: 0 };
const at = (seconds: number) => (seconds * 1000) as EpochMs;

function acked(viewer: Viewer, ack: number, now = at(0)): Viewer {
  const verdict = onMessage(viewer, JSON.stringify({ ack }), now);
  if (verdict.kind !== "acked") throw new Error(verdict.reason);
  return verdict.state;
}

describe("credit", () => {
  it("is a room's budget shared, and never more than one viewer's", () => {
    expect(creditFor(0)).toBe(limits.viewerCreditBytes);
    expect(creditFor(128)).toBe(limits.viewerCreditBytes);
    expect(creditFor(256)).toBe(limits.roomCreditBytes / 256);
    expect(creditFor(1000) * 1000).toBeLessThanOrEqual(limits.roomCreditBytes);
  });

  it("holds a viewer that acknowledges nothing at one frame over it", () => {
    let viewer = newViewer(cursor, 1000);
    while (mayBeSent(viewer)) viewer = afterSend(viewer, 300, cursor, 1000, at(0));
    expect(viewer.sent).toBe(1200);
  });

  it("never holds both up, however it shrinks and grows", () => {
    const random = seeded(5);
    for (let round = 0; round < 500; round++) {
      let viewer = newViewer(cursor, 1 + random(1000));
      let ackedByClient = 0;
      for (let step = 0; step < 50; step++) {
        const owed = viewer.sent - ackedByClient;
        // The client has received all: it acknowledges the first frame, then at half of the credit last told.
        if (owed > 0 && (ackedByClient === 0 || owed >= viewer.credit / 2)) {
          ackedByClient = viewer.sent;
          viewer = acked(viewer, ackedByClient);
        }
        expect(mayBeSent(viewer)).toBe(true);
        viewer = afterSend(viewer, 1 + random(700), cursor, 1 + random(1000), at(0));
      }
    }
  });

  it("starts with a small frame", () => {
    const viewer = newViewer(cursor, 1000);
    expect(frameBytesMax(viewer)).toBe(limits.viewerFirstFrameBytes);
    expect(frameBytesMax(afterSend(viewer, 10, cursor, 1000, at(0)))).toBe(limits.viewerFrameBytes);
  });
});

describe("an acknowledgement", () => {
  const viewer = acked(afterSend(newViewer(cursor, 1000), 600, cursor, 1000, at(0)), 500);

  it("may stand still or grow up to what was sent", () => {
    expect(acked(viewer, 500).acked).toBe(500);
    expect(acked(viewer, 600).acked).toBe(600);
  });

  it("below the last, above what was sent, or anything else closes the socket", () => {
    for (const message of [
      '{"ack":499}',
      '{"ack":601}',
      '{"ack":-1}',
      '{"ack":550.5}',
      '{"ack":"550"}',
      '{"ack":550,"x":1}',
      "",
      "ping ",
      "[]",
    ]) {
      expect(onMessage(viewer, message, at(0))).toMatchObject({ kind: "close", code: 1008 });
    }
    expect(onMessage(viewer, new ArrayBuffer(4), at(0))).toMatchObject({ kind: "close", code: 1008 });
    expect(onMessage(viewer, new ArrayBuffer(1025), at(0))).toMatchObject({ kind: "close", code: 1009 });
    expect(onMessage(viewer, "é".repeat(513), at(0))).toMatchObject({ kind: "close", code: 1009 });
  });
});

describe("a stalled viewer", () => {
  it("is one that owes the first acknowledgement for a minute", () => {
    const viewer = afterSend(newViewer(cursor, 1000), 10, cursor, 1000, at(5));
    expect(stalledAt(viewer)).toBe(at(65));
    expect(stalledAt(afterSend(viewer, 10, cursor, 1000, at(50)))).toBe(at(65));
    expect(stalledAt(acked(viewer, 10, at(60)))).toBeNull();
  });

  it("is not one that received less than half a credit since", () => {
    const viewer = acked(afterSend(newViewer(cursor, 1000), 10, cursor, 1000, at(0)), 10);
    const quiet = afterSend(viewer, 499, cursor, 1000, at(1));
    expect(stalledAt(quiet)).toBeNull();
    expect(stalledAt(afterSend(quiet, 1, cursor, 1000, at(2)))).toBe(at(62));
  });

  it("is not saved by repeating an old acknowledgement, but by progress", () => {
    const viewer = acked(afterSend(newViewer(cursor, 1000), 10, cursor, 1000, at(0)), 10);
    const owing = afterSend(viewer, 2000, cursor, 1000, at(1));
    expect(stalledAt(acked(owing, 10, at(50)))).toBe(at(61));
    expect(stalledAt(acked(owing, 20, at(50)))).toBe(at(110));
  });
});

describe("a viewer's socket", () => {
  it("keeps all that is known in its attachment", () => {
    const viewer = afterSend(newViewer(cursor, 1000), 10, cursor, 1000, at(5));
    expect(readViewer(structuredClone(viewer))).toEqual(viewer);
    expect(readViewer(null)).toBeNull();
    expect(readViewer({ pos: 1 })).toBeNull();
  });

  it("is answered exactly one subprotocol, and none where ours was not offered", () => {
    expect(acceptedProtocol("signalbox.v1")).toBe("signalbox.v1");
    expect(acceptedProtocol("signalbox.ticket.abc, signalbox.v1")).toBe("signalbox.v1");
    for (const offered of [null, "", "graphql-ws", "signalbox.v12"]) expect(acceptedProtocol(offered)).toBeNull();
  });
});
