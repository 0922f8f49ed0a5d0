/** A websocket that the Worker itself answers: one message is said back, then it closes. No Durable Object is woken. */
import { socketProtocol } from "../../protocol/accounts.ts";
import { closeCodes } from "../../protocol/log-frames.ts";
import { protocolHeader } from "../accounts/socket-wire.ts";

const messageCharactersMost = 128;
/** Whoever says nothing must not hold an isolate. */
const silenceMilliseconds = 10_000;

export function echoSocket(): Response {
  const { 0: client, 1: server } = new WebSocketPair();
  server.accept();
  const silence = setTimeout(() => server.close(closeCodes.policy, "nothing was said"), silenceMilliseconds);
  server.addEventListener(
    "message",
    ({ data }) => {
      clearTimeout(silence);
      if (typeof data !== "string" || data.length > messageCharactersMost) {
        server.close(closeCodes.tooBig, "a probe is a short text");
        return;
      }
      server.send(data);
      server.close(1000);
    },
    { once: true },
  );
  server.addEventListener("close", () => clearTimeout(silence));
  return new Response(null, { status: 101, webSocket: client, headers: { [protocolHeader]: socketProtocol } });
}
