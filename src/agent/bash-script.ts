/**
 * The text that drives a job's bash: what it reads, line by line, from a pipe that no child inherits. Pure.
 *
 * A command is sourced from a here-document, not evaluated: `return N` then means what it does in a script, `break`
 * finds no loop of ours, `declare` stays global, and a syntax error cannot run on into the driver's own lines. Its
 * status is then printed, with a number drawn for this command, through a copy of the shell's first stdout, so that
 * `exec >file` in a job does not lose it. File descriptors 198 and 199 lie above those that bash and scripts choose.
 */
const markerDescriptor = 198;
const commandDescriptor = 199;

/** Where bash finds the driver: it moves it to a close-on-exec descriptor of its own, then drops this one. */
export const scriptDescriptor = 3;

/** `BASH_ARGV0` makes messages begin with "bash:"; core files could hold what the job was given. */
export const opening = `exec ${scriptDescriptor}<&- ${markerDescriptor}>&1; ulimit -c 0; BASH_ARGV0=bash\n`;

/**
 * @param flags the shell's `$-` after the command before: tracing is off outside commands, so that the driver's own
 * lines are not in the log, and on again inside them. (Under `set -v` the one after the command still is.)
 */
export function commandScript(command: string, nonce: string, flags: string): string {
  const text = command.replaceAll("\0", "").toWellFormed();
  const delimiter = `SIGNALBOX_${nonce}`;
  const traced = flags.replaceAll(/[^xv]/g, "");
  const tracing = traced === "" ? "" : `set -${traced}; `;
  return [
    `source /dev/fd/${commandDescriptor} ${commandDescriptor}<<'${delimiter}'`,
    `${tracing}${text}`,
    delimiter,
    // A shell whose marker cannot be written must end: waiting for it would take until the job's deadline.
    `{ builtin printf '\\036%s %d %s\\n' ${nonce} "$?" "$-" >&${markerDescriptor} || builtin exit 1; set +xv; } 2>/dev/null`,
    "",
  ].join("\n");
}

/** `NAME='value'` as any POSIX shell reads it. */
export function exportCommand(name: string, value: string): string {
  return `export ${name}='${value.replaceAll("'", "'\\''")}'`;
}
