import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, unlinkSync } from 'node:fs';
import { link, mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { KvmimgError, messageOf, systemErrorCode } from '../errors.ts';
import { withScope } from '../lifecycle/scope.ts';
import { registerKill } from '../lifecycle/signals.ts';
import { waitUntil } from '../wait/wait-until.ts';
import { describeOwner, isOwnerAlive, makeOwner, parseOwner, readOwnerText, showLife } from './owner.ts';

export interface LockOptions {
  readonly signal: AbortSignal;
  /** Called when another holds the lock, and again when the next one does; `holder` is `process 123`. */
  readonly onWait?: (holder: string) => void;
  /** Default: 6 hours, longer than any build. */
  readonly limitMs?: number;
  /** Between two looks at the lock. Default: 100. */
  readonly intervalMs?: number;
}

interface Holder {
  /** `process 123`. */
  readonly name: string;
  readonly token: string;
  readonly alive: boolean;
}

interface Claim {
  readonly token: string;
  /** A file that holds this claim's text, to be linked into place. */
  readonly draft: string;
}

const defaultLimitMs = 6 * 3_600_000;
/** A file without a readable owner is being written, until it is this old. */
const writingLimitMs = 60_000;

/**
 * Runs `work` while no other process, and no other task of this one, holds the lock file `path`. The folder is made if
 * need be. A lock whose owner is dead is taken over.
 *
 * @throws KvmimgError `lock-failed` when the file cannot be written, `wait-limit`; the signal's reason when aborted;
 *   what `work` throws.
 */
export async function withFileLock<T>(path: string, options: LockOptions, work: () => Promise<T>): Promise<T> {
  return withScope(async (scope) => {
    const token = randomBytes(8).toString('hex');
    const draft = `${path}.${token}.draft`;
    scope.defer(`draft of the lock ${path}`, () => rm(draft, { force: true }));
    await writeDraft(draft, token);
    await waitForLock(path, { token, draft }, options);
    await rm(draft, { force: true });
    const forget = registerKill(() => releaseSync(path, token));
    const stopSigns = showLife(path);
    scope.defer(`lock ${path}`, () => {
      stopSigns();
      releaseSync(path, token);
      forget();
    });
    await sweepLitter(path);
    return work();
  });
}

/**
 * Removes the locks in a folder whose owner is dead, and what else killed processes left beside a lock: nobody may ever
 * ask for that lock again. What cannot be removed now is left to the next sweep.
 */
export async function sweepLocks(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  const paths = new Set(names.flatMap((name) => /^(.*?\.lock)(?:$|\.)/.exec(name)?.[1] ?? []));
  for (const path of paths) {
    if (await isAbandoned(path)) await takeOnce(join(folder, path)).catch(ignoreExpected);
  }

  async function isAbandoned(lock: string): Promise<boolean> {
    const files = names.filter((name) => name === lock || name.startsWith(`${lock}.`));
    const holders = await Promise.all(files.map((name) => readHolder(join(folder, name))));
    return holders.some((holder) => holder?.alive === false);
  }
}

/** Who takes a lock clears away what is dead, and gives it back. */
function takeOnce(path: string): Promise<void> {
  return withFileLock(path, { signal: new AbortController().signal, limitMs: 1 }, async () => {});
}

function ignoreExpected(error: unknown): void {
  if (!(error instanceof KvmimgError)) throw error;
}

async function writeDraft(draft: string, token: string): Promise<void> {
  try {
    await mkdir(dirname(draft), { recursive: true });
    await writeFile(draft, JSON.stringify(await makeOwner(token)), { mode: 0o600 });
  } catch (cause) {
    throw new KvmimgError({
      code: 'lock-failed',
      message: `Could not write a lock file in ${dirname(draft)}: ${messageOf(cause)}.`,
      hint: 'Free some space there, or make the folder writable.',
      cause,
    });
  }
}

async function waitForLock(path: string, claim: Claim, options: LockOptions): Promise<void> {
  let seen: Holder | undefined;
  await waitUntil({
    subject: `the lock ${path}`,
    limitMs: options.limitMs ?? defaultLimitMs,
    ...(options.intervalMs === undefined ? {} : { intervalMs: options.intervalMs }),
    signal: options.signal,
    hint: `If no kvmimg runs on any host that shares this folder, delete ${path}.`,
    witness: () => [{ title: 'Held by', lines: [seen?.name ?? 'nobody for long'] }],
    check: async () => {
      const holder = await tryAcquire(path, claim);
      if (holder && holder.token !== seen?.token) options.onWait?.(holder.name);
      seen = holder;
      return holder === undefined ? true : undefined;
    },
  });
}

/**
 * Undefined when `claim` now holds the lock, else who does.
 *
 * Taking over a dead holder's lock must never remove the lock of a live one that was quicker. So whoever wants to
 * replace the claim with token T must hold the lock `<path>.<T>`, looks again while holding it, and renames it onto
 * `path`. Only one process can be at that point, since T ends by that rename and no other way; and when it dies there,
 * its own claim is taken over by the same rule.
 */
async function tryAcquire(path: string, claim: Claim): Promise<Holder | undefined> {
  for (;;) {
    if (await linkExclusive(claim.draft, path)) return undefined;
    const holder = await readHolder(path);
    if (holder === undefined) continue;
    if (holder.alive) return holder;
    const takeover = `${path}.${holder.token}`;
    const rival = await tryAcquire(takeover, claim);
    if (rival !== undefined) return rival;
    if ((await readHolder(path))?.token === holder.token) {
      await rename(takeover, path);
      return undefined;
    }
    await rm(takeover, { force: true });
  }
}

async function linkExclusive(draft: string, path: string): Promise<boolean> {
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

async function readHolder(path: string): Promise<Holder | undefined> {
  const text = await readOwnerText(path);
  const stats = await stat(path).catch(() => undefined);
  if (text === undefined || stats === undefined) return undefined;
  const ageMs = Date.now() - stats.mtimeMs;
  const owner = parseOwner(text);
  if (owner) return { name: await describeOwner(owner), token: owner.token, alive: await isOwnerAlive(owner, ageMs) };
  return { name: 'a process that is starting', token: digestOf(text), alive: ageMs < writingLimitMs };
}

/** Stands for the token of a file that a power failure cut short, or a draft that is being written. */
function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/**
 * Removes what killed processes left beside the lock, while it is held: drafts of the dead, and claims to take over
 * former holders, which mean nothing any more.
 */
async function sweepLitter(path: string): Promise<void> {
  const prefix = `${basename(path)}.`;
  for (const name of await readdir(dirname(path))) {
    const file = join(dirname(path), name);
    const suffix = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    const isDeadDraft = /^[0-9a-f]{16}\.draft$/.test(suffix) && (await readHolder(file))?.alive === false;
    if (isDeadDraft || /^[0-9a-f]{16}(\.[0-9a-f]{16})*$/.test(suffix)) await rm(file, { force: true });
  }
}

function releaseSync(path: string, token: string): void {
  try {
    if (parseOwner(readFileSync(path, 'utf8'))?.token === token) unlinkSync(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
