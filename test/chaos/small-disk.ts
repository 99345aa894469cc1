import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, statfs, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FakeSite } from '../fake/fake-site.ts';

/** A disk that is full when it is told to be, and takes no memory for that. */
export interface FillableDisk {
  /** Leaves room for so many bytes. */
  readonly fill: (slackBytes: number) => Promise<void>;
  readonly empty: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What kvmimg wants to see free before it builds. */
const roomyBytes = 4 * 2 ** 30;

/**
 * Puts a site's cache on a disk of its own: a tmpfs, made larger and smaller, in a mount namespace that ends with
 * `close`, so that it needs no root and nothing is left mounted. The cache folder is a link into that namespace.
 */
export async function putOnFillableDisk(site: FakeSite): Promise<FillableDisk> {
  const place = await mkdtemp(join(tmpdir(), 'kvmimg-small-disk-'));
  const script = [
    `mount -t tmpfs -o size=${roomyBytes},mode=700 none "$1" && echo mounted`,
    // Refused where more than that is used already: the next size is asked for then.
    'while read -r size; do mount -o "remount,size=$size" none "$1" 2>/dev/null; echo "$?"; done',
  ];
  const holder = spawn('unshare', ['-rm', 'sh', '-c', script.join('\n'), 'sh', place], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(holder, 'exit');
  const answer = (): Promise<string> => once(holder.stdout, 'data').then(([text]) => String(text).trim());
  if ((await Promise.race([answer(), ended])) !== 'mounted') {
    throw new Error('`unshare -rm` could not mount a tmpfs: are user namespaces allowed on this host?');
  }
  await symlink(`/proc/${holder.pid}/root${place}`, site.cacheDir);
  const resize = async (bytes: number): Promise<boolean> => {
    const answered = answer();
    holder.stdin.write(`${bytes}\n`);
    return (await answered) === '0';
  };
  const fill = async (slackBytes: number): Promise<void> => {
    const { blocks, bfree, bsize } = await statfs(site.cacheDir);
    if (!(await resize((blocks - bfree) * bsize + slackBytes))) await fill(slackBytes);
  };
  return {
    fill,
    empty: async () => {
      if (!(await resize(roomyBytes))) throw new Error('The small disk could not be made larger again.');
    },
    close: async () => {
      holder.kill('SIGKILL');
      await ended;
      await rm(place, { recursive: true });
    },
  };
}
