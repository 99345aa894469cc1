import fc from 'fast-check';
import { describe, it } from 'vitest';
import { KvmimgError } from '../../../../src/errors.ts';
import type { Iso } from '../../../../src/media/iso/iso.ts';
import { listAll, withIso } from './iso-fixture.ts';
import { file, folder, type IsoFolder, makeIsoImage } from './iso-writer.ts';

const root: IsoFolder = {
  boot: folder({
    grub: folder({ 'grub.cfg': file('set timeout=0') }),
    vmlinuz: file('k'.repeat(3000), 'l'.repeat(10)),
  }),
  deep: { relocatedTo: 'rr_moved/deep' },
  rr_moved: folder({ deep: { folder: { 'deep.txt': file('deep') }, isRelocated: true } }),
  [`${'n'.repeat(90)}.txt`]: file('long'),
};
const limitMs = 5000;
async function readAll(iso: Iso): Promise<void> {
  for (const path of await listAll(iso)) {
    const entry = await iso.find(path);
    if (entry?.kind === 'file') await iso.read(entry, 2 ** 20);
  }
}

/** Everything in it can be read, or it is said to be bad; nothing else, and soon. */
async function readOrRefuse(bytes: Buffer): Promise<void> {
  const startedMs = performance.now();
  try {
    await withIso(bytes, readAll);
  } catch (error) {
    if (!(error instanceof KvmimgError) || error.code !== 'bad-iso') throw error;
  }
  const tookMs = performance.now() - startedMs;
  if (tookMs > limitMs) throw new Error(`took ${tookMs} ms`);
}

describe.each(['rock-ridge', 'joliet', 'plain'] as const)('a damaged ISO with %s names', (names) => {
  const { bytes } = makeIsoImage(root, names);
  // Nothing is read of the 16 blocks before the volume descriptors.
  const offset = fc.integer({ min: 16 * 2048, max: bytes.length - 1 });
  /** Where there is something to damage: most of the image is zero. */
  const used = [...bytes.keys()].filter((at) => at >= 16 * 2048 && bytes[at] !== 0);
  const usedOffset = fc.constantFrom(...used);
  const damage = fc.record({
    at: fc.oneof(usedOffset, offset),
    value: fc.oneof(fc.constantFrom(0, 1, 255), fc.nat(255)),
  });

  it('is good before it is damaged', async () => {
    await withIso(bytes, readAll);
  });

  it(
    'is read or refused with bytes changed',
    () =>
      fc.assert(
        fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 8 }), async (changes) => {
          const copy = Buffer.from(bytes);
          for (const { at, value } of changes) copy[at] = value;
          await readOrRefuse(copy);
        }),
        { numRuns: 300 },
      ),
    60_000,
  );

  it(
    'is read or refused when it is cut off',
    () =>
      fc.assert(
        fc.asyncProperty(fc.nat(bytes.length), async (length) => readOrRefuse(bytes.subarray(0, length))),
        { numRuns: 100 },
      ),
    60_000,
  );
});
