import { KvmimgError } from '../errors.ts';
import { quoteShellWord } from '../process/quote-command.ts';
import type { Recipe } from '../recipe/schema.ts';

/** A file that an answer file's script writes into the new system. */
export interface ImageFile {
  readonly path: string;
  readonly mode: '600' | '644' | '755';
  /** Without the last line break. */
  readonly content: string;
}

/** Files that belong together, and the systemd units among them that start at boot. */
export interface ImagePart {
  readonly title: string;
  readonly files: readonly ImageFile[];
  readonly units: readonly string[];
}

type StaticNetwork = Exclude<Recipe['network'], 'dhcp'>;

const programs = '/usr/lib/kvmimg';

/**
 * systemd-networkd's file for a static address, at `path`. It is for the Ethernet device that the kernel has found first,
 * whatever its name is: networkd cannot match on that, so a udev rule tells it.
 */
export function makeStaticNetwork(network: StaticNetwork, path: string): ImagePart {
  return {
    title: "network: the recipe's address on the first Ethernet device",
    files: [
      { path, mode: '644', content: staticNetworkFile(network) },
      { path: '/etc/udev/rules.d/70-kvmimg-first-ethernet.rules', mode: '644', content: firstEthernetRule },
      { path: `${programs}/is-first-ethernet`, mode: '755', content: isFirstEthernet },
    ],
    units: [],
  };
}

function staticNetworkFile({ address, gateway, nameservers, search }: StaticNetwork): string {
  return [
    '[Match]',
    'Type=ether',
    'Kind=!*',
    'Property=KVMIMG_FIRST_ETHERNET=1',
    '[Network]',
    `Address=${address}`,
    `Gateway=${gateway}`,
    ...nameservers.map((server) => `DNS=${server}`),
    ...(search.length > 0 ? [`Domains=${search.join(' ')}`] : []),
  ].join('\n');
}

// The kernel counts its devices up, so that no later one is ever before the first.
const firstEthernetRule = `ACTION!="remove", SUBSYSTEM=="net", ATTR{type}=="1", DEVPATH!="/devices/virtual/*", \\
  PROGRAM=="${programs}/is-first-ethernet /sys%p", ENV{KVMIMG_FIRST_ETHERNET}="1"`;

const isFirstEthernet = `#!/bin/sh
# Succeeds for the Ethernet device that the kernel has found first. $1: its folder in /sys.
own=$(cat "$1/ifindex")
for device in /sys/class/net/*; do
  if [ ! -e "$device/device" ] || [ "$(cat "$device/type")" != 1 ]; then continue; fi
  if [ "$(cat "$device/ifindex")" -lt "$own" ]; then exit 1; fi
done
exit 0`;

/** Time servers for systemd-timesyncd. */
export function makeTimeServers(servers: readonly string[]): ImagePart {
  const content = `[Time]\nNTP=${servers.join(' ')}`;
  return {
    title: 'time servers',
    files: [{ path: '/etc/systemd/timesyncd.conf.d/90-kvmimg.conf', mode: '644', content }],
    units: ['systemd-timesyncd.service'],
  };
}

/** cloud-init's growpart knows partitions only: of a root in LVM this grows partition, volumes and file system. */
export const lvmGrowth: ImagePart = {
  title: 'the root grows with the disk at boot, in LVM too',
  files: [
    {
      path: `${programs}/grow-root`,
      mode: '755',
      content: `#!/bin/sh
# Gives the root what the disk has beyond its last partition, which holds the volume group.
set -e
root=$(findmnt -n -o SOURCE /)
group=$(lvs --noheadings -o vg_name "$root" | tr -d ' ')
partition=$(pvs --noheadings -o pv_name -S "vg_name=$group" | tr -d ' ')
disk=/dev/$(lsblk -d -n -o PKNAME "$partition")
# 1 is "nothing to do".
growpart "$disk" "$(cat "/sys/class/block/\${partition##*/}/partition")" || [ $? = 1 ]
pvresize -q "$partition"
if [ "$(vgs --noheadings -o vg_free_count "$group" | tr -d ' ')" != 0 ]; then
  lvextend -q --resizefs -l +100%FREE "$root"
fi`,
    },
    {
      path: '/etc/systemd/system/kvmimg-grow-root.service',
      mode: '644',
      content: `[Unit]
Description=Grow the root to the size of the disk
[Service]
Type=oneshot
ExecStart=${programs}/grow-root
[Install]
WantedBy=multi-user.target`,
    },
  ],
  units: ['kvmimg-grow-root.service'],
};

/**
 * Lines of a POSIX shell script that write the files of a part below `$target` and enable its units there, with the
 * functions `write_file PATH MODE CONTENT` and `enable_unit UNIT` of the script.
 */
export function renderImagePart({ title, files, units }: ImagePart): string {
  return [
    `# ${title}`,
    ...files.map(({ path, mode, content }) => `write_file ${path} ${mode} ${quoteScriptWord(content, path)}`),
    ...units.map((unit) => `enable_unit ${unit}`),
    '',
  ].join('\n');
}

/**
 * One word of a POSIX shell script.
 *
 * @param name what the value is, for the error.
 * @throws KvmimgError `answer-file-value` for what no shell can hold.
 */
export function quoteScriptWord(value: string, name: string): string {
  if (!value.includes('\0')) return quoteShellWord(value);
  throw new KvmimgError({
    code: 'answer-file-value',
    message: `${name}: ${JSON.stringify(value)} cannot be written to a script: it has a NUL.`,
    hint: 'Choose a value without it.',
  });
}
