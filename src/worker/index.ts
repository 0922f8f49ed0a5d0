import { DurableObject, WorkerEntrypoint } from "cloudflare:workers";
export class LogRoom extends DurableObject {}
export class PublicKeys extends WorkerEntrypoint {
  override fetch() {
    return new Response("keys");
  }
}
export default {
  async fetch(request: Request, env: unknown, ctx: ExecutionContext) {
    return ctx.exports.PublicKeys.fetch(request);
  },
};
