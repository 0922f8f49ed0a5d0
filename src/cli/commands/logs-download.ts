/** `signalbox logs download`: a job's log as a file, checked against its SHA-256 where that is known. */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { type Command, Option } from "commander";
import type { DownloadForm } from "../../client/logs.ts";
import { type Cli, connect, messageOf } from "../context.ts";
import { Failure, UsageError } from "../exit.ts";
import { optionsOfLogs } from "./logs-options.ts";

interface Options {
  output: string;
  as: DownloadForm;
}

export function addLogsDownload(logs: Command, cli: Cli): void {
  logs
    .command("download")
    .description("a job's log as a file; events of a finished log are checked against its SHA-256")
    .argument("<job>", "its id")
    .requiredOption("-o, --output <file>", "where to")
    .addOption(
      new Option("--as <form>", "events as they are stored (one JSON a line), text, or text without terminal sequences")
        .choices(["events", "text", "plain"])
        .default("text"),
    )
    .action((jobId: string, options: Options) => {
      optionsOfLogs(logs, []);
      return download(cli, jobId, options);
    });
}

async function download(cli: Cli, jobId: string, { output: file, as }: Options): Promise<void> {
  const { client } = await connect(cli);
  const { final } = await client.logs.summary(jobId);
  const { bytes, sha256 } = await save(file, client.logs.download(jobId, as));
  const isChecked = as === "events" && final !== null;
  if (isChecked && sha256 !== final.sha256) {
    throw new Failure(`${file} has the SHA-256 ${sha256}, and the log ${final.sha256}`);
  }
  if (cli.globals().json) return cli.output.json({ file, bytes, sha256, checked: isChecked, final: final !== null });
  cli.output.line(`${file}: ${bytes} bytes, SHA-256 ${sha256}${isChecked ? ", as the server says" : ""}`);
  if (final === null) cli.output.note("signalbox: the log still grows");
}

/** Piece by piece: a log may be larger than is pleasant to hold. */
async function save(file: string, pieces: AsyncIterable<Uint8Array>): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  const handle = await open(file, "w").catch((error: unknown) => {
    throw new UsageError(`cannot write ${file}: ${messageOf(error)}`);
  });
  try {
    for await (const piece of pieces) {
      await handle.writeFile(piece);
      hash.update(piece);
      bytes += piece.length;
    }
  } finally {
    await handle.close();
  }
  return { bytes, sha256: hash.digest("hex") };
}
