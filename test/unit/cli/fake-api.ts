/** A real HTTP server that answers as a table says, and notes what it was asked. */

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";

export interface Asked {
  method: string;
  url: string;
  authorization: string | undefined;
  ifMatch: string | undefined;
  body: unknown;
}

/** `METHOD /path` (without query) to what is answered: a body with 200; anything else gets status `unknown`. */
export type Table = Record<string, unknown | ((asked: Asked) => unknown)>;

export async function fakeApi(table: Table, unknown = 404) {
  const asked: Asked[] = [];
  const server = createServer(async (request, response) => {
    const body = await text(request);
    const url = request.url ?? "/";
    const call: Asked = {
      method: request.method ?? "",
      url,
      authorization: request.headers.authorization,
      ifMatch: request.headers["if-match"],
      body: body === "" ? undefined : JSON.parse(body),
    };
    asked.push(call);
    const entry = table[`${call.method} ${url.split("?")[0]}`];
    const answer: unknown = typeof entry === "function" ? entry(call) : entry;
    response.writeHead(answer === undefined ? unknown : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(answer ?? null));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}
