/** The repository of a project that an import creates, from where Semaphore UI cloned it. */
import { nameFrom } from "./plan.ts";

/** Null where the address names no `owner/name`. A credential in the address is left behind. */
export function repositoryFrom(gitUrl: string): { name: string; slug: string; url: string } | null {
  const url = URL.parse(gitUrl.replace(/^(?:[^@/:]+@)?([^/:]+):(?!\/)/, "ssh://$1/"));
  if (url === null) return null;
  const slug = url.pathname.replace(/^\/+|\/+$/g, "").replace(/\.git$/, "");
  const name = nameFrom(slug.split("/").at(-1) ?? "");
  if (name === "" || !/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)+$/.test(slug)) return null;
  url.username = "";
  url.password = "";
  url.search = "";
  url.hash = "";
  return { name, slug, url: url.href };
}
