import { spawnSync } from 'node:child_process';

const setpriv = '/usr/bin/setpriv';
const works = new Map<string, boolean>();

/**
 * The command by which a program ends when kvmimg does, even by SIGKILL: util-linux's setpriv gives it a parent-death
 * signal. On systems without that it is the program itself.
 */
export function endWithParent(
  program: string,
  args: readonly string[],
  tool: string = setpriv,
): readonly [string, readonly string[]] {
  return givesParentDeath(tool) ? [tool, ['--pdeathsig', 'KILL', '--', program, ...args]] : [program, args];
}

/** Tried once a process: BusyBox's, and that of util-linux before 2.33, do not know the option. */
function givesParentDeath(tool: string): boolean {
  const known = works.get(tool);
  if (known !== undefined) return known;
  const { status } = spawnSync(tool, ['--pdeathsig', 'KILL', '--', 'true'], { stdio: 'ignore' });
  works.set(tool, status === 0);
  return status === 0;
}
