/** Lets `ctx.exports` know this Worker's own exports. */
declare namespace Cloudflare {
  interface GlobalProps {
    mainModule: typeof import("./index.ts");
  }
}
