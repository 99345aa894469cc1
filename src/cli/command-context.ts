import type { Output } from './output.ts';

/** What every command is given. */
export interface CommandContext {
  readonly output: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
}

/** 0 done, 1 failed; of `shell`, what the command in the guest ended with. Wrong input and interrupts are thrown. */
export type CommandStatus = number;
