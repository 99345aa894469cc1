import { z } from 'zod';
import type { Format } from './schema.ts';
import { line } from './values.ts';

export const scsiControllers = ['pvscsi', 'lsilogic'] as const;
export type ScsiController = (typeof scsiControllers)[number];

const versionWanted = 'must be a whole number from 13 to 99';

/** What the OVF descriptor says of the machine, beside its processors, memory and firmware. */
export const ovf = z.strictObject({
  hardwareVersion: z.int(versionWanted).min(13, versionWanted).max(99, versionWanted).optional().meta({
    description:
      "Version of VMware's virtual hardware: 13 runs on vSphere 6.5 and later, 15 on 6.7 U2, 17 on 7.0, 20 on 8.0. Also in a VMDK. Default: the oldest that knows the distro.",
    example: 17,
  }),
  controller: z.enum(scsiControllers).default('pvscsi').meta({
    description:
      "SCSI controller of the disk: VMware's own, or LSI Logic for importers without it. Not every distro's initramfs has the driver of the latter, mptspi.",
  }),
  diskEnableUuid: z.boolean().default(true).meta({
    description: 'Shows the guest stable ids of its disks (`disk.EnableUUID`), which the CSI driver of vSphere needs.',
  }),
  osType: line
    .regex(/^[a-z][A-Za-z0-9_]{0,60}Guest$/, 'must be a VMware guest id such as debian12_64Guest')
    .optional()
    .meta({
      description: "VMware's id of the guest's system. Default: the distro's, as the hardware version knows it.",
      example: 'debian12_64Guest',
    }),
});
export type OvfSettings = z.output<typeof ovf>;

/** What holds where a recipe says nothing; undefined what is the distro's. */
const defaults: OvfSettings = ovf.parse({});

/** The formats that a setting goes into. */
export function findTellingFormats(name: keyof OvfSettings): readonly Format[] {
  return name === 'hardwareVersion' ? ['ova', 'vmdk'] : ['ova'];
}

/** The names of the settings that say something else than the defaults do. */
export function findOvfChanges(settings: OvfSettings): (keyof OvfSettings)[] {
  const names = Object.keys(ovf.shape) as (keyof OvfSettings)[];
  return names.filter((name) => settings[name] !== defaults[name]);
}
