/** One command of `mptcp`; the table of them is in `main.ts`. */
export interface Command {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What `mptcp help NAME` prints. */
  readonly usage: string;
  /** Runs to the end and gives the exit code. Throws a UsageError for arguments that cannot be run. */
  run(args: string[]): Promise<number>;
}
