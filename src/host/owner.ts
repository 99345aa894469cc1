import { readFile, readlink, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod';
import { isProcessAlive, readProcessStartTime } from './processes.ts';

const ownerSchema = z.object({
  pid: z.int().positive(),
  startTime: z.string(),
  /** A cache may be shared with another machine or container, whose process numbers mean nothing here. */
  hostName: z.string(),
  /** Containers may share the name of the host too. Undefined where there is none, and in files of older versions. */
  pidNamespace: z.string().optional(),
  /** Names this one claim: no other, not even of the same process, has the same. */
  token: z.string(),
});

/** Which process a lock or a work folder belongs to. */
export type Owner = z.output<typeof ownerSchema>;

/**
 * An owner on another host, or in another container, cannot be asked. It shows that it lives by setting the time of what
 * it owns now and then; after this without a sign it is taken to be gone.
 */
const foreignOwnerLimitMs = 15 * 60_000;
const signIntervalMs = 60_000;

let ownStartTime: Promise<string | undefined> | undefined;
let ownNamespace: Promise<string | undefined> | undefined;

/** Names the set of processes whose numbers mean the same as here: `pid:[4026531836]`. Undefined where there is no /proc. */
export function readPidNamespace(): Promise<string | undefined> {
  ownNamespace ??= readlink('/proc/self/ns/pid').catch(() => undefined);
  return ownNamespace;
}

/** This process as an owner. */
export async function makeOwner(token: string): Promise<Owner> {
  ownStartTime ??= readProcessStartTime(process.pid);
  const pidNamespace = await readPidNamespace();
  return {
    ...{ pid: process.pid, startTime: (await ownStartTime) ?? '', hostName: hostname(), token },
    ...(pidNamespace === undefined ? {} : { pidNamespace }),
  };
}

/** Sets the time of a path again and again, so that other hosts see that its owner lives; gives what ends that. */
export function showLife(path: string): () => void {
  const timer = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => {});
  }, signIntervalMs).unref();
  return () => clearInterval(timer);
}

/** `ageMs`: time since the owner last showed that it lives. */
export async function isOwnerAlive(owner: Owner, ageMs: number): Promise<boolean> {
  const { pid, startTime, hostName, pidNamespace = await readPidNamespace() } = owner;
  const isForeign = hostName !== hostname() || pidNamespace !== (await readPidNamespace());
  return isForeign ? ageMs < foreignOwnerLimitMs : isProcessAlive(pid, startTime);
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

/** `process 123`, or `process 123 on builder-2`; of another container with this host's name, that. */
export async function describeOwner({ pid, hostName, pidNamespace }: Owner): Promise<string> {
  if (hostName !== hostname()) return `process ${pid} on ${hostName}`;
  const isHere = pidNamespace === undefined || pidNamespace === (await readPidNamespace());
  return isHere ? `process ${pid}` : `process ${pid} of another container`;
}
