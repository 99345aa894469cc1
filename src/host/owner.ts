import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { isProcessAlive, readProcessStartTime } from './processes.ts';

const ownerSchema = z.object({
  pid: z.int().positive(),
  startTime: z.string(),
  /** A cache may be shared with another machine or container, whose process numbers mean nothing here. */
  hostName: z.string(),
  /** Names this one claim: no other, not even of the same process, has the same. */
  token: z.string(),
});

/** Which process a lock or a work folder belongs to. */
export type Owner = z.output<typeof ownerSchema>;

/** After this an owner on another host, which cannot be asked, is taken to be gone. */
const foreignOwnerLimitMs = 24 * 3_600_000;

let ownStartTime: Promise<string | undefined> | undefined;

/** This process as an owner. */
export async function makeOwner(token: string): Promise<Owner> {
  ownStartTime ??= readProcessStartTime(process.pid);
  return { pid: process.pid, startTime: (await ownStartTime) ?? '', hostName: hostname(), token };
}

/** `ageMs`: time since the owner wrote itself down. */
export async function isOwnerAlive(owner: Owner, ageMs: number): Promise<boolean> {
  if (owner.hostName !== hostname()) return ageMs < foreignOwnerLimitMs;
  return isProcessAlive(owner.pid, owner.startTime);
}

/** The text of an owner's file; undefined when there is none. */
export async function readOwnerText(path: string): Promise<string | undefined> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw error;
  });
}

/** Undefined when the text is no owner: a file cut off by a power failure. */
export function parseOwner(text: string): Owner | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** `process 123`, or `process 123 on builder-2`. */
export function describeOwner(owner: Owner): string {
  return owner.hostName === hostname() ? `process ${owner.pid}` : `process ${owner.pid} on ${owner.hostName}`;
}
