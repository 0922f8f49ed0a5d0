/**
 * What must be undone when the process ends without time to wait: process groups to kill and directories of secrets
 * to remove. Everything here is synchronous. The CLI calls `abandonJobs` before it exits on a second signal.
 */
const undoings = new Set<() => void>();

/** @returns takes the undoing back: it is no longer needed. */
export function onAbandon(undo: () => void): () => void {
  undoings.add(undo);
  return () => undoings.delete(undo);
}

/** Kills every running job and removes its files, now. Jobs lose what they had not yet sent. */
export function abandonJobs(): void {
  for (const undo of [...undoings].reverse()) {
    undoings.delete(undo);
    try {
      undo();
    } catch {
      // The others must still be undone, and nobody is left to tell.
    }
  }
}
