/** For what no caller can be told: into the Worker's log. Faults name bindings and never quote a secret. */
export function report(what: string, cause: unknown): void {
  const reason = cause instanceof Error ? cause.message : "unknown";
  // biome-ignore lint/suspicious/noConsole: the Worker's log is where unexpected causes go
  console.error(JSON.stringify({ what, reason }));
}
