/**
 * A true pipe between the agent and a child. Node connects children by sockets, through which `/dev/stdout` cannot
 * be opened and writes are not atomic; a nameless FIFO has neither fault. The name exists only while it is opened.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, constants, openSync, unlinkSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Fifo {
  /** The agent's end. */
  readonly socket: Socket;
  /** The child's end: blocking, to be handed to `spawn` and closed after it. */
  readonly childDescriptor: number;
}

/** @param directory one that only the agent may enter. */
export async function openFifo(directory: string, agentEnd: "reads" | "writes"): Promise<Fifo> {
  const path = join(directory, `pipe-${randomBytes(8).toString("hex")}`);
  await promisify(execFile)("mkfifo", ["-m", "600", path]);
  // Held at both ends for a moment, so that neither of the two opens has to wait for the other.
  const both = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    const [agentMode, childMode] =
      agentEnd === "reads" ? [constants.O_RDONLY, constants.O_WRONLY] : [constants.O_WRONLY, constants.O_RDONLY];
    const childDescriptor = openSync(path, childMode);
    const fd = openSync(path, agentMode | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: agentEnd === "reads", writable: agentEnd === "writes" });
    // EPIPE: the shell is gone, which its exit event tells better.
    socket.on("error", () => {});
    return { socket, childDescriptor };
  } finally {
    closeSync(both);
    unlinkSync(path);
  }
}
