import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { pack } from 'tar-stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noise } from '../../../fixtures/disks/gpt-disk.ts';
import { makeTinyVmdk } from '../../../fixtures/disks/tiny-vmdk.ts';
import { KvmimgError } from '../../../src/errors.ts';
import { makeMachineFacts } from '../../../src/export/machine-facts.ts';
import { memberHeader, ustarMaxBytes, writeOva } from '../../../src/export/ova.ts';
import { findOvaProblems } from '../../../src/export/ova-check.ts';
import { makeManifest, parseManifest } from '../../../src/export/ova-manifest.ts';
import { diskOfOva, readOva } from '../../../src/export/ova-reader.ts';
import { makeOvf } from '../../../src/export/ovf.ts';

let folder = '';
let ovaBytes = Buffer.alloc(0);
const { bytes: vmdk } = makeTinyVmdk(new Map([[3, noise(65_536, 3)]]), 512);
const sha256Of = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'kvmimg-test-'));
  await writeFile(join(folder, 'disk'), vmdk);
  await writeTestOva(join(folder, 'good.ova'), 'good.ova');
  ovaBytes = await readFile(join(folder, 'good.ova'));
});
afterAll(() => rm(folder, { recursive: true }));

async function writeTestOva(path: string, finalName: string): Promise<void> {
  const disk = { path: join(folder, 'disk'), sizeBytes: vmdk.length, sha256: sha256Of(vmdk) };
  await writeOva({ path, finalName, facts: makeMachineFacts(), vmdk: disk }, {});
}

describe('writeOva', () => {
  it('fails where the device is full, which its caller tells', async () => {
    const path = join(folder, 'full.ova');
    // Every write to /dev/full fails as on a full device.
    await symlink('/dev/full', path);
    await expect(writeTestOva(path, 'full.ova')).rejects.toMatchObject({ code: 'ENOSPC' });
  });

  it('puts descriptor, manifest and disk in this order, all ustar, root, 0644', async () => {
    const ova = await readOva(join(folder, 'good.ova'));
    expect(ova.members).toMatchObject(
      ['good.ovf', 'good.mf', 'good.vmdk'].map((name) => ({
        ...{ name, isUstar: true, isFile: true },
        ...{ mode: 0o644, uid: 0, gid: 0 },
      })),
    );
    expect(await findOvaProblems(ova)).toEqual([]);
  });

  it('holds the bytes of the VMDK', () => {
    expect(ovaBytes.indexOf(vmdk)).toBeGreaterThan(0);
  });

  it('writes the same bytes again', async () => {
    await writeTestOva(join(folder, 'again.ova'), 'good.ova');
    expect(ovaBytes.equals(await readFile(join(folder, 'again.ova')))).toBe(true);
  });

  it('keeps member names short enough for plain ustar', async () => {
    const path = join(folder, 'long.ova');
    await writeTestOva(path, `${'n'.repeat(100)}.ova`);
    const names = (await readOva(path)).members.map((member) => member.name);
    expect(names).toEqual(['ovf', 'mf', 'vmdk'].map((extension) => `${'n'.repeat(95)}.${extension}`));
  });

  it('fails when the disk is not what its digest says', async () => {
    const disk = { path: join(folder, 'disk'), sizeBytes: vmdk.length, sha256: sha256Of('other') };
    const request = { path: join(folder, 'bad.ova'), finalName: 'bad.ova', facts: makeMachineFacts(), vmdk: disk };
    await expect(writeOva(request, {})).rejects.toMatchObject({ code: 'ova-check-failed' });
  });

  it('fails when the disk has another size, or is gone', async () => {
    const request = { path: join(folder, 'bad.ova'), finalName: 'bad.ova', facts: makeMachineFacts() };
    const disk = { path: join(folder, 'disk'), sizeBytes: vmdk.length + 1, sha256: sha256Of(vmdk) };
    await expect(writeOva({ ...request, vmdk: disk }, {})).rejects.toThrow('Size mismatch');
    await expect(writeOva({ ...request, vmdk: { ...disk, path: join(folder, 'no') } }, {})).rejects.toThrow('ENOENT');
  });
});

describe('a member of 8 GiB or more', () => {
  it.each([
    ['octal', ustarMaxBytes, '77777777777 '],
    ['base 256', ustarMaxBytes + 1, `\x80${'\0'.repeat(6)}\x02${'\0'.repeat(4)}`],
  ])('has its size in %s', async (_, size, field) => {
    const packer = pack();
    packer.entry(memberHeader('a.vmdk', size)).on('error', () => {});
    const { value: header } = await packer[Symbol.asyncIterator]().next();
    packer.destroy();
    expect(header.toString('latin1', 124, 136)).toBe(field);
    expect(header.toString('latin1', 257, 265)).toBe('ustar\x0000');
  });
});

describe('the manifest', () => {
  it('has no space between algorithm and name', () => {
    expect(makeManifest([{ fileName: 'a.ovf', sha256: 'ab' }])).toBe('SHA256(a.ovf)= ab\n');
  });

  it.each([
    ['SHA256(a.ovf)= AB12', { algorithm: 'sha256', fileName: 'a.ovf', digest: 'ab12' }],
    ['SHA1(a (2).vmdk)= 00', { algorithm: 'sha1', fileName: 'a (2).vmdk', digest: '00' }],
    ['SHA512 (a)= 00', { algorithm: 'sha512', fileName: 'a', digest: '00' }],
    ['SHA2-256(a)= 00', { algorithm: 'sha256', fileName: 'a', digest: '00' }],
  ])('is read: %s', (line, entry) => {
    expect(parseManifest(`${line}\r\n`)).toEqual({ entries: [entry], problems: [] });
  });

  it('tells a line that is no digest', () => {
    expect(parseManifest('hello\n')).toMatchObject({ entries: [], problems: [expect.stringContaining('hello')] });
  });
});

interface TestMember {
  readonly name: string;
  readonly content: Buffer | string;
}

/** Packs an OVA of the given members. */
async function packOva(path: string, members: readonly TestMember[]): Promise<void> {
  const packer = pack();
  for (const { name, content } of members)
    packer.entry(memberHeader(name, Buffer.byteLength(content)), Buffer.from(content));
  packer.finalize();
  await writeFile(path, packer as AsyncIterable<Buffer>);
}

function goodMembers(change: { readonly capacityBytes?: number; readonly fileSizeBytes?: number } = {}) {
  const disk = { fileName: 'a.vmdk', fileSizeBytes: vmdk.length, capacityBytes: 32 * 2 ** 20, populatedBytes: 0 };
  const text = makeOvf('a', makeMachineFacts(), { ...disk, ...change });
  const manifest = makeManifest([
    { fileName: 'a.ovf', sha256: sha256Of(text) },
    { fileName: 'a.vmdk', sha256: sha256Of(vmdk) },
  ]);
  return {
    ovf: { name: 'a.ovf', content: text },
    mf: { name: 'a.mf', content: manifest },
    disk: { name: 'a.vmdk', content: vmdk },
  };
}

describe('findOvaProblems', () => {
  const { ovf, mf, disk } = goodMembers();
  const edited = (from: string, to: string): TestMember => ({ ...ovf, content: ovf.content.replace(from, to) });
  const large = goodMembers({ capacityBytes: 8192 * 2 ** 40 });
  const wrongSize = goodMembers({ fileSizeBytes: 7 });
  const cases: readonly (readonly [string, readonly TestMember[], string])[] = [
    ['disk first', [disk, ovf, mf], 'the descriptor is not the first member'],
    ['manifest last', [ovf, disk, mf], 'the manifest is not the second member'],
    ['wrong digest', [edited('vmx-15', 'vmx-21'), mf, disk], 'the sha256 of a.ovf is'],
    ['manifest names more', [ovf, { ...mf, content: `${mf.content}SHA1(b)= 00\n` }, disk], 'the manifest names b'],
    ['capacity', [large.ovf, large.mf, disk], 'bytes of capacity, the VMDK 33554432'],
    ['file size', [wrongSize.ovf, wrongSize.mf, disk], 'gives a.vmdk 7 bytes'],
    ['item', [edited('/disk/vmdisk1', '/disk/other'), disk], 'a disk item refers to ovf:/disk/other'],
    ['network', [edited('Connection>nic0', 'Connection>lan'), disk], 'refers to the network lan'],
    ['path', [ovf, mf, disk, { name: 'dir/file', content: '' }], 'dir/file is not a plain file name'],
    ['no marker', [ovf, { ...disk, content: vmdk.subarray(0, -512) }], 'end-of-stream marker'],
  ];

  it.each(cases)('finds: %s', async (name, members, problem) => {
    const path = join(folder, `problem-${name}.ova`);
    await packOva(path, members);
    expect(await findOvaProblems(await readOva(path))).toContainEqual(expect.stringContaining(problem));
  });

  it('finds nothing where nothing is wrong', async () => {
    await packOva(join(folder, 'packed.ova'), [ovf, mf, disk]);
    expect(await findOvaProblems(await readOva(join(folder, 'packed.ova')))).toEqual([]);
  });

  it.each([
    ['no disk', [ovf], 'holds 0 disks'],
    ['no descriptor', [disk], 'it has no .ovf member'],
    ['a huge descriptor', [{ name: 'a.ovf', content: Buffer.alloc(5 * 2 ** 20) }], 'too large for a text'],
  ])('refuses %s', async (name, members, why) => {
    const path = join(folder, `refused-${name}.ova`);
    await packOva(path, members);
    await expect(readOva(path).then(diskOfOva)).rejects.toThrow(why);
  });
});

describe('a damaged OVA', () => {
  const outcomeOf = async (bytes: Buffer): Promise<string> => {
    const path = join(folder, 'damaged.ova');
    await writeFile(path, bytes);
    try {
      const problems = await findOvaProblems(await readOva(path));
      return problems.length > 0 ? 'problems' : 'fine';
    } catch (error) {
      expect(error).toBeInstanceOf(KvmimgError);
      return 'error';
    }
  };

  it('is never fine when cut before the end of its disk, and never hangs', async () => {
    const end = ovaBytes.indexOf(vmdk) + vmdk.length;
    await fc.assert(
      fc.asyncProperty(fc.nat(end - 1), async (length) => {
        expect(await outcomeOf(ovaBytes.subarray(0, length))).not.toBe('fine');
      }),
    );
  });

  it('gives problems or a sentence for any changed byte, and never hangs', async () => {
    const end = ovaBytes.indexOf(vmdk);
    await fc.assert(
      fc.asyncProperty(fc.nat(end - 1), fc.nat(255), async (offset, value) => {
        const bytes = Buffer.from(ovaBytes);
        bytes.writeUInt8(value, offset);
        await outcomeOf(bytes);
      }),
      { numRuns: 200 },
    );
  });
});
