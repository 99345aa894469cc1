import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { readPidNamespace } from './owner.ts';
import { isProcessAlive, readProcessStartTime } from './processes.ts';

/**
 * Names this process in the name of a file, which then needs no owner's file beside it: `<place>-<pid>-<start time>`.
 * The start time keeps a successor with its number from being taken for it.
 */
export async function makeOwnerTag(): Promise<string> {
  const startTime = await readProcessStartTime(process.pid);
  return `${await placeTag()}-${process.pid}-${encodeURIComponent(startTime ?? '')}`;
}

/** Whether the process that a tag names has ended. One on another host, or in another container, cannot be asked. */
export async function isOwnerTagDead(tag: string): Promise<boolean> {
  const [place, pid, startTime = ''] = tag.split('-');
  if (place !== (await placeTag())) return false;
  return !(await isProcessAlive(Number(pid), decodeURIComponent(startTime)));
}

/** Where process numbers mean the same: host and PID namespace, as 8 hexadecimal digits. */
async function placeTag(): Promise<string> {
  const place = `${hostname()} ${(await readPidNamespace()) ?? ''}`;
  return createHash('sha256').update(place).digest('hex').slice(0, 8);
}
