import { readFile } from 'node:fs/promises';

/** What each level of x86-64 adds, as Linux names the flags in /proc/cpuinfo (System V ABI for x86-64, section 3.1.1). */
const levelFlags: readonly { readonly level: number; readonly flags: readonly string[] }[] = [
  { level: 2, flags: ['cx16', 'lahf_lm', 'popcnt', 'pni', 'sse4_1', 'sse4_2', 'ssse3'] },
  { level: 3, flags: ['abm', 'avx', 'avx2', 'bmi1', 'bmi2', 'f16c', 'fma', 'movbe', 'xsave'] },
];

/** The level of x86-64 that a processor with these flags has: 1, 2 or 3. */
export function cpuLevelOf(flags: readonly string[]): number {
  let reached = 1;
  for (const { level, flags: needed } of levelFlags) {
    if (!needed.every((flag) => flags.includes(flag))) break;
    reached = level;
  }
  return reached;
}

/** This host's level of x86-64; undefined where it cannot be read. */
export async function findCpuLevel(): Promise<number | undefined> {
  const text = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const flags = /^flags\s*:\s*(.*)$/m.exec(text)?.[1];
  return flags === undefined ? undefined : cpuLevelOf(flags.trim().split(/\s+/));
}
