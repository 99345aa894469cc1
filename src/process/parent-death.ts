import { existsSync } from 'node:fs';

const setpriv = '/usr/bin/setpriv';

/**
 * The command by which a program ends when kvmimg does, even by SIGKILL: util-linux's setpriv gives it a parent-death
 * signal. On systems without that it is the program itself.
 */
export function endWithParent(program: string, args: readonly string[]): readonly [string, readonly string[]] {
  return existsSync(setpriv) ? [setpriv, ['--pdeathsig', 'KILL', '--', program, ...args]] : [program, args];
}
