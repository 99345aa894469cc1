import { randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { HostSource } from '../../host/facts.ts';
import { run } from '../../process/run.ts';
import type { HardwareAccel, ProbeResult } from './probe-accel.ts';

const resultSchema = z.discriminatedUnion('works', [
  z.object({ works: z.literal(true), cpuModel: z.string(), reason: z.string() }),
  z.object({ works: z.literal(false), reason: z.string(), hint: z.string() }),
]);

const cacheSchema = z.object({ version: z.literal(2), key: z.string(), foundAtMs: z.number(), result: resultSchema });

/** A guest that is silent on a busy host, or a KVM that another program has for now, proves nothing about tomorrow. */
const refusalGoodForMs = 10 * 60_000;

export interface ProbeSubject {
  readonly accel: HardwareAccel;
  readonly binary: string;
  readonly host: HostSource;
}

/**
 * Everything that the answer of a probe depends on: the boot of the host, the QEMU program (whose file changes with its
 * version), and the KVM device, which changes when its module is loaded anew. Undefined where the boot cannot be told.
 */
export async function readProbeKey({ accel, binary, host }: ProbeSubject): Promise<string | undefined> {
  const bootId = await readBootId(host);
  const program = await stat(binary).catch(() => undefined);
  if (bootId === undefined || program === undefined) return undefined;
  const device = await stat(join(host.root, 'dev/kvm')).catch(() => undefined);
  return [accel, bootId, binary, program.size, program.mtimeMs, device?.ctimeMs ?? ''].join(' ');
}

async function readBootId({ platform, root }: HostSource): Promise<string | undefined> {
  if (platform === 'darwin') {
    const result = await run('sysctl', ['-n', 'kern.bootsessionuuid'], { timeoutMs: 2_000 }).catch(() => undefined);
    return result?.stdout.trim() || undefined;
  }
  const text = await readFile(join(root, 'proc/sys/kernel/random/boot_id'), 'utf8').catch(() => '');
  return text.trim() || undefined;
}

/**
 * The kept result of a probe with this key: a yes for as long as the key is the same, a no for ten minutes. A damaged or
 * outdated file is no result.
 */
export async function readCachedProbe(cacheDir: string, key: string): Promise<ProbeResult | undefined> {
  try {
    const cache = cacheSchema.safeParse(JSON.parse(await readFile(cachePath(cacheDir), 'utf8'))).data;
    if (cache?.key !== key) return undefined;
    return cache.result.works || isRecent(cache.foundAtMs) ? cache.result : undefined;
  } catch {
    return undefined;
  }
}

/** A time that is still to come is of a clock that has been put right since. */
function isRecent(foundAtMs: number): boolean {
  const ageMs = Date.now() - foundAtMs;
  return ageMs >= 0 && ageMs < refusalGoodForMs;
}

/** Keeps a result. Does nothing where the cache cannot be written: the next build asks again. */
export async function writeCachedProbe(cacheDir: string, key: string, result: ProbeResult): Promise<void> {
  const path = cachePath(cacheDir);
  const partial = `${path}.${randomBytes(4).toString('hex')}.partial`;
  try {
    await mkdir(cacheDir, { recursive: true });
    const file = await open(partial, 'w');
    try {
      await file.writeFile(`${JSON.stringify({ version: 2, key, foundAtMs: Date.now(), result })}\n`);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(partial, path);
  } catch {
    await rm(partial, { force: true }).catch(() => {});
  }
}

function cachePath(cacheDir: string): string {
  return join(cacheDir, 'accel.json');
}
