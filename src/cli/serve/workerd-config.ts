/**
 * The configuration of workerd that runs the Worker on one's own machine, from the same wrangler.toml that a deployment is
 * made from. One socket, which leads to the Worker itself: no entry worker of a development tool that obeys headers, no
 * SQL explorer, no inspector. D1 and cron are workerd's own modules. Pure; the syntax is Cap'n Proto's text form
 * (workerd.capnp in the workerd package).
 */

/** What of wrangler.toml is needed here, by wrangler's own names. */
export interface WorkerToml {
  /** The entry's file, as an absolute path. */
  readonly main: string;
  readonly compatibilityDate: string;
  readonly compatibilityFlags: readonly string[];
  readonly objects: readonly { readonly name: string; readonly className: string }[];
  readonly crons: readonly string[];
}

export interface Site {
  /** The code's file, relative to the configuration's. */
  readonly bundle: string;
  /** Folder of the database and the objects. */
  readonly storage: string;
  /** `127.0.0.1:3000`, or `unix:/path`. */
  readonly address: string;
  /** Plain variables; all may read them. */
  readonly vars: Readonly<Record<string, string>>;
  /** Names of the secrets, whose values workerd reads from its environment: this text holds none. */
  readonly secretNames: readonly string[];
}

/** Where the databases lie: a change of either would begin with an empty one (workerd's d1.js). */
const database = { uniqueKey: "signalbox-d1", id: "signalbox" };

export function serverConfig(toml: WorkerToml, site: Site): string {
  const bindings = [
    ...Object.entries(site.vars).map(([name, value]) => `(name = ${quoted(name)}, text = ${quoted(value)})`),
    ...site.secretNames.map((name) => `(name = ${quoted(name)}, fromEnvironment = ${quoted(name)})`),
    ...toml.objects.map(
      ({ name, className }) => `(name = ${quoted(name)}, durableObjectNamespace = ${quoted(className)})`,
    ),
    databaseBinding,
  ];
  const classes = toml.objects.map(({ className }) => objectClass(className, `signalbox-${className}`));
  return config(
    [
      `(name = "worker", worker = (
      modules = [(name = "worker.js", esModule = embed ${quoted(site.bundle)})],
      ${compatibility(toml.compatibilityDate, toml.compatibilityFlags)},
      bindings = [${bindings.join(", ")}],
      durableObjectNamespaces = [${classes.join(", ")}],
      durableObjectStorage = (localDisk = "storage")
    ))`,
      ...databaseService,
      ...storageService(site.storage),
      ...(toml.crons.length > 0 ? [cronService(toml)] : []),
    ],
    site.address,
    "worker",
  );
}

/** The database alone, behind a worker that brings it up to date, on a socket that is gone before the Worker starts. */
export function migratorConfig(
  toml: WorkerToml,
  { bundle, storage, address }: Pick<Site, "bundle" | "storage" | "address">,
): string {
  return config(
    [
      `(name = "migrator", worker = (
      modules = [(name = "migrator.js", esModule = embed ${quoted(bundle)})],
      ${compatibility(toml.compatibilityDate, [])},
      bindings = [${databaseBinding}]
    ))`,
      ...databaseService,
      ...storageService(storage),
    ],
    address,
    "migrator",
  );
}

const databaseBinding = `(name = "DB", wrapped = (moduleName = "cloudflare-internal:d1-api", innerBindings = [
  (name = "fetcher", service = (name = "d1", props = (json = ${quoted(JSON.stringify({ database: database.id }))})))
]))`;

const databaseService = [
  `(name = "d1", worker = (
    modules = [(name = "d1.js", bundled = "/workerd/d1.js")],
    ${compatibility("2026-01-01", [])},
    bindings = [(name = "DATABASE", durableObjectNamespace = "D1Database")],
    durableObjectNamespaces = [${objectClass("D1Database", database.uniqueKey)}],
    durableObjectStorage = (localDisk = "storage")
  ))`,
];

function storageService(folder: string): string[] {
  return [`(name = "storage", disk = (path = ${quoted(folder)}, writable = true))`];
}

function cronService({ crons }: WorkerToml): string {
  return `(name = "cron", worker = (
    modules = [(name = "cron.js", bundled = "/workerd/cron.js")],
    ${compatibility("2026-01-01", ["service_binding_extra_handlers"])},
    bindings = [
      (name = "SCHEDULE", durableObjectNamespace = "Schedule"),
      (name = "CRONS", json = ${quoted(JSON.stringify({ WORKER: crons }))}),
      (name = "WORKER", service = "worker")
    ],
    durableObjectNamespaces = [${objectClass("Schedule", "signalbox-cron")}],
    durableObjectStorage = (localDisk = "storage")
  ))`;
}

/** The Worker calls nobody: its one way out is closed. */
function config(services: readonly string[], address: string, service: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
  services = [
    (name = "internet", network = (allow = [])),
    ${services.join(",\n    ")}
  ],
  sockets = [(name = "http", address = ${quoted(address)}, http = (), service = ${quoted(service)})]
);
`;
}

function compatibility(date: string, flags: readonly string[]): string {
  return `compatibilityDate = ${quoted(date)}, compatibilityFlags = [${flags.map(quoted).join(", ")}]`;
}

function objectClass(className: string, uniqueKey: string): string {
  return `(className = ${quoted(className)}, uniqueKey = ${quoted(uniqueKey)}, enableSql = true)`;
}

/** A text of Cap'n Proto's: C's escapes, which JSON's are for what stands in a configuration. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(/\\u[0-9a-f]{4}/g, (sequence) => {
    throw new RangeError(`${sequence} cannot stand in a workerd configuration`);
  });
}
