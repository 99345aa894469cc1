import { z } from 'zod';

const name = z.string().min(1);
const lines = z.array(z.string()).min(1);

const isMountedOn = (path: string) => ({ required: ['mountpoint'], properties: { mountpoint: { const: path } } });

const partition = z
  .strictObject({
    mountpoint: z.string().startsWith('/').optional(),
    /** MiB; 0 is what is left. */
    size: z.int().nonnegative(),
    filesystem: z.enum(['swap', 'ext4', 'vfat', 'xfs', 'btrfs']),
    mkfs_options: z.string().optional(),
    fs_options: z.string().optional(),
    lvm: z.strictObject({ vg_name: name, lv_name: name }).optional(),
  })
  .refine((each) => (each.filesystem === 'swap') === (each.mountpoint === undefined), 'only swap has no mountpoint')
  .refine((each) => each.mountpoint !== '/boot' || each.lvm === undefined, '/boot on LVM is not supported')
  .refine((each) => each.mountpoint !== '/boot/efi' || each.filesystem === 'vfat', '/boot/efi must be vfat')
  // The same for the JSON Schema.
  .meta({
    allOf: [
      {
        anyOf: [
          { properties: { filesystem: { const: 'swap' }, mountpoint: false } },
          { properties: { filesystem: { not: { const: 'swap' } } }, required: ['mountpoint'] },
        ],
      },
      { anyOf: [{ not: isMountedOn('/boot') }, { properties: { lvm: false } }] },
      { anyOf: [{ not: isMountedOn('/boot/efi') }, { properties: { filesystem: { const: 'vfat' } } }] },
    ],
  });

/**
 * ks.json as the installer of the 5.0 GA ISO takes it (photon-os-installer 2.3: docs/ks_config.md, and the checks of
 * `_check_install_config`). Keys that came later are not here: that installer refuses unknown ones.
 */
export const photonKickstart = z.strictObject({
  hostname: z.string().optional(),
  /** Later ones know `disks` too, and go on taking this. A value that begins with `$` is a variable of `preinstall`. */
  disk: z.string().startsWith('/dev/'),
  bootmode: z.enum(['bios', 'efi', 'dualboot']).optional(),
  partition_type: z.enum(['gpt', 'msdos']).optional(),
  partitions: z
    .array(partition)
    .refine((all) => all.some(({ mountpoint }) => mountpoint === '/'), "there is no partition assigned to root '/'")
    .refine((all) => all.filter(({ size }) => size === 0).length <= 1, 'only one extensible partition is allowed')
    .refine((all) => new Set(all.map((each) => each.mountpoint ?? each)).size === all.length, 'duplicate mountpoints')
    .meta({ contains: isMountedOn('/') }),
  linux_flavor: z.enum(['linux', 'linux-esx', 'linux-aws', 'linux-secure', 'linux-rt']),
  packages: z.array(name).min(1),
  additional_packages: z.array(name).optional(),
  password: z.strictObject({ crypted: z.boolean(), text: z.string(), age: z.int().min(-1).optional() }),
  live: z.boolean().optional(),
  eject_cdrom: z.boolean().optional(),
  ui: z.boolean().optional(),
  log_level: z.enum(['error', 'warning', 'info', 'debug']).optional(),
  preinstall: lines.optional(),
  postinstall: lines.optional(),
});
export type PhotonKickstart = z.output<typeof photonKickstart>;
