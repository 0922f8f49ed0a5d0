/** Standard input as text, until it ends or Ctrl-C comes. */
import { addAbortSignal, type Readable } from "node:stream";
import { text } from "node:stream/consumers";

/** An abort closes the stream: an open one would keep the process waiting for it. @throws the signal's reason. */
export async function readAll(stream: Readable, signal: AbortSignal): Promise<string> {
  try {
    return await text(addAbortSignal(signal, stream));
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}
