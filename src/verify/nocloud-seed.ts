import { stringify } from 'yaml';

/** First-boot data as cloud-init's NoCloud data source reads it. */
export interface FirstBoot {
  readonly instanceId: string;
  readonly hostname: string;
  readonly user: string;
  /** OpenSSH public key that lets the user in. */
  readonly publicKey: string;
}

/** Of the four files that NoCloud asks for below its seed URL, the three that are served, by name. */
export function makeNoCloudSeed(firstBoot: FirstBoot): ReadonlyMap<string, string> {
  const userData = {
    users: [
      {
        name: firstBoot.user,
        shell: '/bin/bash',
        lock_passwd: true,
        sudo: 'ALL=(ALL) NOPASSWD:ALL',
        ssh_authorized_keys: [firstBoot.publicKey],
      },
    ],
  };
  return new Map([
    ['meta-data', stringify({ 'instance-id': firstBoot.instanceId, 'local-hostname': firstBoot.hostname })],
    ['user-data', `#cloud-config\n${stringify(userData, { lineWidth: 0 })}`],
    ['vendor-data', ''],
    // No network-config: what the image does by itself is what is tested.
  ]);
}
