import { z } from 'zod';

/**
 * The autoinstall format, version 1, as subiquity's reference manual and curtin's storage and apt pages document it; only
 * the sections that servers have, and nothing that they would ignore. Sections without `in` are known to every release
 * from 22.04.5 on.
 */

const command = z.union([z.string().min(1), z.array(z.string()).min(1)]);
const install = z.strictObject({ install: z.boolean() });
const url = z.url({ protocol: /^https?$/ });

const matchSpec = z
  .strictObject({
    serial: z.string(),
    model: z.string(),
    vendor: z.string(),
    path: z.string(),
    id_path: z.string(),
    devpath: z.string(),
    ssd: z.boolean(),
    size: z.enum(['largest', 'smallest']),
    'install-media': z.boolean(),
  })
  .partial();

const wipe = z.enum(['random', 'superblock', 'superblock-recursive', 'zero']);
/** Bytes, a human size with one letter (dehumanize_size refuses `MB`), a percentage, or -1 for what is left. */
const size = z.union([z.literal(-1), z.int().positive(), z.string().regex(/^\d+(\.\d+)?[BKMGTP]?$|^\d+%$/)]);
const action = { id: z.string().min(1), preserve: z.boolean().optional() };

export const storageAction = z.discriminatedUnion('type', [
  z.strictObject({
    ...action,
    type: z.literal('disk'),
    ptable: z.enum(['gpt', 'msdos']),
    match: matchSpec,
    wipe,
    grub_device: z.boolean(),
  }),
  z.strictObject({
    ...action,
    type: z.literal('partition'),
    device: z.string(),
    number: z.int().positive(),
    size,
    wipe,
    flag: z
      .enum(['bios_grub', 'boot', 'extended', 'home', 'linux', 'logical', 'lvm', 'prep', 'raid', 'swap'])
      .optional(),
    grub_device: z.boolean().optional(),
  }),
  z.strictObject({ ...action, type: z.literal('lvm_volgroup'), name: z.string(), devices: z.array(z.string()).min(1) }),
  z.strictObject({
    ...action,
    type: z.literal('lvm_partition'),
    name: z.string(),
    volgroup: z.string(),
    size,
    wipe: wipe.optional(),
  }),
  z.strictObject({
    ...action,
    type: z.literal('format'),
    fstype: z.enum(['ext4', 'xfs', 'fat32', 'swap']),
    volume: z.string(),
  }),
  z.strictObject({
    id: action.id,
    type: z.literal('mount'),
    device: z.string(),
    path: z.string().regex(/^\/$|^(\/[^/]+)+$|^none$/),
    options: z.string().optional(),
  }),
]);
export type StorageAction = z.output<typeof storageAction>;

const apt = z.strictObject({
  geoip: z.boolean(),
  preserve_sources_list: z.boolean(),
  'mirror-selection': z.strictObject({
    primary: z
      .array(
        z.union([z.literal('country-mirror'), z.strictObject({ uri: url, arches: z.array(z.string()).optional() })]),
      )
      .min(1),
  }),
  fallback: z.enum(['abort', 'offline-install', 'continue-anyway']),
  security: z.array(z.strictObject({ arches: z.array(z.string()).min(1), uri: url })).min(1),
  disable_components: z.array(z.enum(['universe', 'multiverse', 'restricted', 'contrib', 'non-free'])).optional(),
  disable_suites: z.array(z.enum(['updates', 'backports', 'security', 'proposed'])).optional(),
  conf: z.string().optional(),
  sources: z
    .record(
      z.string().regex(/^[\w.-]+\.list$/),
      // `$` would begin a variable of curtin's.
      z.strictObject({ source: z.string().regex(/^deb [^$\n]+$/), key: z.string().min(1) }),
    )
    .optional(),
});

const sections = {
  version: z.literal(1),
  'early-commands': z.array(command),
  'late-commands': z.array(command),
  'error-commands': z.array(command),
  reporting: z.record(
    z.string(),
    z.strictObject({
      type: z.literal('webhook'),
      endpoint: url,
      level: z.enum(['DEBUG', 'INFO', 'WARN', 'ERROR']),
    }),
  ),
  'refresh-installer': z.strictObject({ update: z.boolean(), channel: z.string().optional() }),
  locale: z.string(),
  keyboard: z.strictObject({
    layout: z.string().min(1),
    variant: z.string(),
    toggle: z.union([z.string(), z.null()]).optional(),
  }),
  timezone: z.string().min(1).optional(),
  // `search_drivers` was required once.
  source: z.strictObject({ id: z.enum(['ubuntu-server', 'ubuntu-server-minimal']), search_drivers: z.boolean() }),
  drivers: install,
  kernel: z.union([z.strictObject({ package: z.string() }), z.strictObject({ flavor: z.string() })]),
  apt,
  storage: z.strictObject({
    swap: z.strictObject({ size: z.union([z.literal(0), size]) }),
    grub: z.strictObject({
      replace_linux_default: z.boolean(),
      probe_additional_os: z.boolean(),
      terminal: z.string(),
      update_nvram: z.boolean(),
      reorder_uefi: z.boolean(),
    }),
    config: z.array(storageAction).min(1),
  }),
  // Without `identity` it must be there. `cloud-init schema` looks into it (test/boot/cloud-init-schema.test.ts).
  'user-data': z.record(z.string(), z.unknown()),
  ssh: z.strictObject({
    'install-server': z.boolean(),
    'allow-pw': z.boolean(),
    'authorized-keys': z.array(z.string()).optional(),
  }),
  packages: z.array(z.string().regex(/^[a-z0-9][a-z0-9+.-]+$/)),
  updates: z.enum(['security', 'all']),
  shutdown: z.enum(['reboot', 'poweroff']),
};

const since2404 = { oem: z.strictObject({ install: z.union([z.boolean(), z.literal('auto')]) }), codecs: install };
const since2410 = { 'kernel-crash-dumps': z.strictObject({ enabled: z.union([z.boolean(), z.null()]) }) };

/** Schemas of whole answer files by release; keys that the installer of the release does not know are refused. */
export const autoinstallSchemas: Readonly<Record<string, z.ZodType<{ autoinstall: Autoinstall }>>> = {
  '22.04': z.strictObject({ autoinstall: z.strictObject(sections) }),
  '24.04': z.strictObject({ autoinstall: z.strictObject({ ...sections, ...since2404 }) }),
  '26.04': z.strictObject({ autoinstall: z.strictObject({ ...sections, ...since2404, ...since2410 }) }),
};
const base = z.strictObject(sections);
export type Autoinstall = z.output<typeof base>;
