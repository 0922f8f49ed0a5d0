/** Whether the wished port is free. The embedded runtime does not say: it hangs on a port in use. */
import { createServer } from "node:net";
import { Failure, UsageError } from "../exit.ts";

/** The port itself, or for 0 one that is free. */
export async function freePort(wished: number): Promise<number> {
  if (wished > 65_535) throw new UsageError("--port must be at most 65535");
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => reject(new Failure(sentence(wished, error))));
    server.listen({ host: "127.0.0.1", port: wished, exclusive: true }, () => {
      const address = server.address();
      const port = typeof address === "object" && address ? address.port : wished;
      server.close(() => resolve(port));
    });
  });
}

function sentence(port: number, error: NodeJS.ErrnoException): string {
  if (error.code === "EADDRINUSE") {
    return `port ${port} on 127.0.0.1 is in use: stop what listens there, or give --port N`;
  }
  if (error.code === "EACCES") return `port ${port} may not be used by this user: give --port N above 1023`;
  return `port ${port} on 127.0.0.1 cannot be used: ${error.message}`;
}
