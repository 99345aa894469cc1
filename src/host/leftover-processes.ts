import { readdir, readFile, readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { systemErrorCode } from '../errors.ts';

/** What kvmimg leaves running beside itself. A pager that shows a log of a work folder is not ours to end. */
const ourPrograms = /^(qemu-\w[\w-]*|ssh|sftp)$/;

/**
 * Ends by SIGKILL the QEMU and SSH processes with `text` in their command line or their working folder. QEMU is started with a parent-death
 * signal, so this is the second net; it needs `/proc`, and does nothing elsewhere. Gives the numbers of those ended.
 */
export async function endLeftoverProcesses(text: string): Promise<readonly number[]> {
  const names = await readdir('/proc').catch(() => []);
  const pids = names.filter((name) => /^\d+$/.test(name)).map(Number);
  const ended: number[] = [];
  for (const pid of pids) {
    if (pid !== process.pid && (await runsOurProgramWith(pid, text)) && kill(pid)) ended.push(pid);
  }
  return ended;
}

async function runsOurProgramWith(pid: number, text: string): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  // The SSH client names its files by plain names in its folder.
  const folder = await readlink(`/proc/${pid}/cwd`).catch(() => '');
  if (!commandLine.includes(text) && !folder.includes(text)) return false;
  // The second word is the program where the first is an interpreter.
  return commandLine
    .split('\0')
    .slice(0, 2)
    .some((word) => ourPrograms.test(basename(word)));
}

function kill(pid: number): boolean {
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ESRCH' || code === 'EPERM') return false;
    throw error;
  }
}
