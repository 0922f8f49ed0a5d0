/**
 * The shell that a job's commands run in, and a fresh one where a command has ended it (`exit N`, `exec`): the same
 * environment and home, without what the first had in its variables. Owns which shell is the current one.
 */
import { exportCommand } from "./bash-script.ts";
import { BashShell, type ShellOptions } from "./bash-shell.ts";

export class JobShells {
  readonly #options: Omit<ShellOptions, "env">;
  readonly #env: Record<string, string>;
  readonly #isPaused: () => boolean;
  #shell: BashShell | null = null;
  #stopped = false;

  constructor(options: ShellOptions, isPaused: () => boolean) {
    this.#options = options;
    this.#env = { ...options.env };
    this.#isPaused = isPaused;
  }

  /** Starts a shell where none runs. @throws where none can be started. */
  async ready(): Promise<BashShell> {
    if (this.#shell?.isAlive) return this.#shell;
    this.#shell = await BashShell.open({ ...this.#options, env: this.#env });
    this.#shell.setPaused(this.#isPaused());
    // A stop that came while the shell was starting found nothing to stop.
    if (this.#stopped) await this.#shell.stop();
    return this.#shell;
  }

  async run(command: string): Promise<number> {
    return await (await this.ready()).run(command);
  }

  /** For this shell and any later one. */
  async export(name: string, value: string): Promise<void> {
    this.#env[name] = value;
    if (this.#shell?.isAlive) await this.#shell.run(exportCommand(name, value));
  }

  setPaused(paused: boolean): void {
    this.#shell?.setPaused(paused);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#shell?.stop();
  }

  /** Every process in the shell's group is dead when this resolves. */
  async close(): Promise<void> {
    await this.#shell?.close();
  }
}
