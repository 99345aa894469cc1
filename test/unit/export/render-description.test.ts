import { describe, expect, it } from 'vitest';
import type { ImageDescription } from '../../../src/export/inspect-image.ts';
import { renderDescription } from '../../../src/export/render-description.ts';

const mebibyte = 2 ** 20;

const image: ImageDescription = {
  path: 'out/debian-13.ova',
  format: 'ova',
  fileSizeBytes: 400 * mebibyte,
  allocatedBytes: 400 * mebibyte,
  sha256: 'ab'.repeat(32),
  disk: {
    format: 'vmdk',
    virtualSizeBytes: 8 * 2 ** 30,
    backingChain: [],
    vmdk: {
      subformat: 'streamOptimized',
      version: 3,
      adapterType: 'lsilogic',
      hardwareVersion: '15',
      endsWithMarker: true,
    },
    layout: {
      table: 'gpt',
      partitions: [
        { number: 1, offsetBytes: mebibyte, sizeBytes: mebibyte, type: 'BIOS boot', typeId: 'x', name: '' },
        {
          number: 2,
          offsetBytes: 2 * mebibyte,
          sizeBytes: 512 * mebibyte,
          type: 'EFI system',
          typeId: 'y',
          name: 'esp',
          fileSystem: { type: 'vfat', uuid: 'C0FF-EE42', label: '\x1b[31mred' },
        },
      ],
      boots: { bios: true, uefi: true },
      problems: [],
    },
  },
  ova: {
    members: [{ name: 'debian-13.ovf', sizeBytes: 4096 }],
    manifest: 'differs',
    problems: ['the sha256 of debian-13.ovf is wrong'],
    machine: {
      name: 'debian-13',
      title: 'Debian 13',
      productVersion: '13',
      osId: 96,
      osType: 'debian10_64Guest',
      hardwareVersion: 'vmx-15',
      cpus: 2,
      memoryBytes: 2 * 2 ** 30,
      firmware: 'bios',
      secureBoot: false,
      transport: 'com.vmware.guestInfo',
      controllers: ['VirtualSCSI'],
      nics: [{ type: 'VmxNet3', network: 'nic0' }],
      networks: ['nic0'],
      files: [],
      disks: [{ diskId: 'vmdisk1', fileRef: 'file1', capacityBytes: 8 * 2 ** 30 }],
      hostResources: [],
      properties: {},
      extraConfig: {},
    },
  },
  build: {
    name: 'debian-13',
    distro: 'debian-13',
    kvmimgVersion: '0.1.0',
    createdAt: '2026-11-23T00:00:00.000Z',
    packageCount: 211,
    digest: 'matches',
  },
};

describe('renderDescription', () => {
  it('tells everything, one fact a line', () => {
    expect(renderDescription(image)).toMatchInlineSnapshot(`
      [
        "image:        out/debian-13.ova",
        "format:       ova",
        "file:         400 MiB, 400 MiB on disk",
        "sha256:       abababababababababababababababababababababababababababababababab",
        "disk:         8.0 GiB (8589934592 bytes)",
        "vmdk:         streamOptimized, version 3, adapter lsilogic, hardware 15",
        "partitions:   GPT table",
        "  1  BIOS boot, 1.0 MiB",
        "  2  EFI system, 512 MiB, "esp", vfat C0FF-EE42 "?[31mred"",
        "boots with:   BIOS and UEFI",
        "members:      debian-13.ovf (4.0 KiB)",
        "manifest:     does not match",
        "machine:      debian-13",
        "product:      Debian 13, version 13",
        "system:       debian10_64Guest, vmx-15, firmware bios",
        "hardware:     2 CPUs, 2.0 GiB, controller VirtualSCSI",
        "network:      VmxNet3 on nic0",
        "capacity:     vmdisk1 8.0 GiB",
        "problem:      the sha256 of debian-13.ovf is wrong",
        "built:        debian-13 from debian-13 by kvmimg 0.1.0, 2026-11-23T00:00:00.000Z",
        "packages:     211",
        "digest:       matches the build's manifest",
      ]
    `);
  });

  it('lets no control character of an image through to the terminal', () => {
    expect(renderDescription(image).join('')).not.toMatch(/\p{Cc}/u);
  });

  it('says what a bare disk lacks', () => {
    const layout = { table: 'none' as const, partitions: [], boots: { bios: false, uefi: false }, problems: [] };
    const disk = {
      format: 'qcow2' as const,
      virtualSizeBytes: mebibyte,
      backingChain: [{ path: '/base.raw', format: 'raw' }],
      qcow2: { compat: '1.1', compressedFraction: 0, check: 'clean' },
      layout,
    };
    const bare = { path: 'a', format: 'qcow2' as const, fileSizeBytes: 512, allocatedBytes: 0, disk };
    expect(renderDescription(bare)).toMatchInlineSnapshot(`
      [
        "image:        a",
        "format:       qcow2",
        "file:         512 B, 0 B on disk",
        "disk:         1.0 MiB (1048576 bytes)",
        "qcow2:        compat 1.1, not compressed, tables clean",
        "backing file: /base.raw (raw)",
        "partitions:   no partition table",
        "boots with:   nothing that was found",
      ]
    `);
  });
});
