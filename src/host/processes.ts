import { readFile } from 'node:fs/promises';
import { run } from '../process/run.ts';

/**
 * When a process began, as an opaque text that no other process with the same number has: `<boot>.<ticks>` on Linux
 * (`/proc/<pid>/stat`, field 22, counts from the boot), the date that `ps` gives elsewhere. Undefined when there is no
 * such process, or only its zombie.
 */
export function readProcessStartTime(pid: number): Promise<string | undefined> {
  return process.platform === 'linux' ? readFromProc(pid) : readFromPs(pid);
}

/** Whether the very process that had this number and start time still runs; a successor with its number does not count. */
export async function isProcessAlive(pid: number, startTime: string): Promise<boolean> {
  return (await readProcessStartTime(pid)) === startTime;
}

async function readFromProc(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (stat === undefined) return undefined;
  const { state, startTicks } = parseStat(stat);
  if (state === 'Z' || state === 'X') return undefined;
  const bootId = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '');
  return `${bootId.slice(0, 8)}.${startTicks}`;
}

/** Fields 3 and 22 of `/proc/<pid>/stat` (proc_pid_stat(5)); field 2, the name, may hold spaces and parentheses. */
export function parseStat(stat: string): { readonly state: string; readonly startTicks: string } {
  const fromState = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return { state: fromState[0] ?? '', startTicks: fromState[19] ?? '' };
}

async function readFromPs(pid: number): Promise<string | undefined> {
  const { stdout, exitCode } = await run('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { okExitCodes: [0, 1] });
  const [state = '', ...started] = stdout.trim().split(/\s+/);
  return exitCode !== 0 || state === '' || state.startsWith('Z') ? undefined : started.join(' ');
}
