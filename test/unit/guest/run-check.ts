import { execFileSync } from 'node:child_process';

export interface CheckResult {
  readonly passes: boolean;
  readonly said: string;
}

/**
 * Runs the words of a check or an action on this machine. `moved` says what stands for the guest's files, longest name
 * first; `programs` is a folder of stand-ins that come before this machine's programs.
 */
export function runCheck(
  words: readonly string[],
  { moved = {}, programs }: { readonly moved?: Readonly<Record<string, string>>; readonly programs?: string },
): CheckResult {
  const move = (word: string): string =>
    Object.entries(moved).reduce((text, [from, to]) => text.replaceAll(from, to), word);
  const [program = '', ...args] = words.map(move);
  const env = { PATH: programs === undefined ? '/usr/bin:/bin' : `${programs}:/usr/bin:/bin` };
  try {
    return { passes: true, said: execFileSync(program, args, { env, stdio: ['ignore', 'pipe', 'ignore'] }).toString() };
  } catch (error) {
    return { passes: false, said: String((error as { readonly stdout?: Buffer }).stdout) };
  }
}
