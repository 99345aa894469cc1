import { describe, expect, it } from 'vitest';
import { formatPath } from '../../../src/recipe/path.ts';
import { recipeSchema } from '../../../src/recipe/schema.ts';
import { validateRecipe } from '../../../src/recipe/validate.ts';
import { exampleKey } from '../example-ssh-key.ts';

/** `place: message (hint)` of what is wrong with these settings of a recipe. */
function issuesOf(settings: object): string[] {
  const checked = validateRecipe({ distro: 'debian-13', ...settings });
  const issues = 'issues' in checked ? checked.issues : [];
  return issues.map(({ path, message, hint }) => `${formatPath(path)}: ${message}${hint ? ` (${hint})` : ''}`);
}

const network = { address: '192.0.2.10/24', gateway: '192.0.2.1' };

describe('the network of a recipe', () => {
  it.each([
    ['a word that it is not', 'dhpc', ['network: must be dhcp or an address with a gateway, not "dhpc"']],
    ['no gateway', { address: '192.0.2.10/24' }, ['network.gateway: is required']],
    [
      'a setting that is mistyped',
      { address: '192.0.2.10/24', gatway: '192.0.2.1' },
      ['network.gateway: is required', 'network.gatway: is not a setting (Did you mean network.gateway?)'],
    ],
    [
      'a setting that it does not have',
      { ...network, dns: ['192.0.2.53'] },
      ['network.dns: is not a setting (Known: address, gateway, nameservers, search.)'],
    ],
    [
      'a name server that is none',
      { ...network, nameservers: ['192.0.2.53', 'ns'] },
      ['network.nameservers[1]: must be an IP address, not "ns"'],
    ],
    [
      'an address that is none',
      { ...network, address: '192.0.2.10' },
      ['network.address: must be an IPv4 address with its prefix length, such as 192.0.2.10/24, not "192.0.2.10"'],
    ],
    [
      'a gateway elsewhere',
      { ...network, gateway: '192.0.3.1' },
      ['network.gateway: the gateway 192.0.3.1 is not in 192.0.2.0/24'],
    ],
    [
      'its own address',
      { ...network, address: '192.0.2.0/24' },
      ['network.address: 192.0.2.0 is the address of the network itself, or its broadcast address'],
    ],
  ])('cannot have %s', (_, network, expected) => {
    expect(issuesOf({ network })).toEqual(expected);
  });

  it.each(['127.0.0.5/8', '224.0.0.5/24', '0.0.0.5/8', '250.1.1.1/8'])('cannot have the address %s', (address) => {
    const message = `network.address: ${address.split('/')[0]} cannot be the address of a host`;
    expect(issuesOf({ network: { address, gateway: '192.0.2.1' } })).toEqual([message]);
  });

  it('can have an address, and name servers of both kinds', () => {
    expect(issuesOf({ network: { ...network, nameservers: ['192.0.2.53', '2001:db8::53'] } })).toEqual([]);
  });
});

describe('time', () => {
  it.each([
    ['Europe/BERLIN', 'Europe/Berlin'],
    ['America/NEW_YORK', 'America/New_York'],
    ['ETC/UTC', 'Etc/UTC'],
    ['europe/berlin', 'Europe/Berlin'],
    ['utc', 'UTC'],
    ['US/EASTERN', 'US/Eastern'],
  ])('is not of a zone spelled %s', (timezone, right) => {
    const expected = `timezone: must be a time zone such as Etc/UTC, not "${timezone}" (Did you mean ${right}?)`;
    expect(issuesOf({ timezone })).toEqual([expected]);
  });

  it.each([
    ...[
      'UTC',
      'Etc/UTC',
      'GMT',
      'Etc/GMT+5',
      'US/Eastern',
      'Europe/Berlin',
      'America/Argentina/Buenos_Aires',
      'NZ',
      'PRC',
    ],
    ...['EST5EDT', 'GB-Eire', 'W-SU', 'Antarctica/DumontDUrville', 'Antarctica/McMurdo', 'Asia/Kolkata', 'Europe/Kyiv'],
  ])('is of the zone %s', (timezone) => {
    expect(issuesOf({ timezone })).toEqual([]);
  });

  it.each(['Europe/Atlantis', '+01:00', '../UTC'])('is not of the zone %s', (timezone) => {
    expect(issuesOf({ timezone })).toEqual([`timezone: must be a time zone such as Etc/UTC, not "${timezone}"`]);
  });

  it.each(['-4', ':', 'a..b', '.ntp', 'ntp-', '1:2', '::1::'])('is not told by the server %s', (server) => {
    const message = `ntp[0]: must be a host name or an address, not ${JSON.stringify(server)}`;
    expect(issuesOf({ ntp: [server] })).toEqual([message]);
  });

  it('is told by servers by their names and addresses', () => {
    expect(issuesOf({ ntp: ['0.pool.example.org', 'ntp', '192.0.2.123', '2001:db8::123', '::1'] })).toEqual([]);
  });

  it.each([
    [{ provision: [{ packages: ['jq'], timeout: '30d' }] }, 'provision[0].timeout: must be at most 24d, not "30d"'],
    [{ provision: [{ packages: ['jq'], timeout: 10 }] }, 'provision[0].timeout: must be at least 1s, not 10'],
    [{ limits: { ssh: '999ms' } }, 'limits.ssh: must be at least 1s, not "999ms"'],
    [{ limits: { silence: '25d' } }, 'limits.silence: must be at most 24d, not "25d"'],
    [{ limits: { powerOff: 5 } }, 'limits.powerOff: must be at least 1s, not 5'],
  ])('is not waited for so long: %j', (settings, expected) => {
    expect(issuesOf(settings)).toEqual([expected]);
  });

  it('may be long before a layer expires', () => {
    expect(
      issuesOf({ expires: '90d', limits: { ssh: '24d' }, provision: [{ packages: ['jq'], timeout: '1s' }] }),
    ).toEqual([]);
  });
});

describe('the machine of an OVA', () => {
  const versionWanted = 'ovf.hardwareVersion: must be a whole number from 13 to 99';
  it.each([
    [{ hardwareVersion: 12 }, [`${versionWanted}, not 12`]],
    [{ hardwareVersion: 150 }, [`${versionWanted}, not 150`]],
    [{ hardwareVersion: 'vmx-17' }, [`${versionWanted}, not "vmx-17"`]],
    [
      { controller: 'lsilogc' },
      [expect.stringMatching(/^ovf.controller: must be one of pvscsi, lsilogic, .*lsilogic/)],
    ],
    [{ diskEnableUuid: 'TRUE' }, ['ovf.diskEnableUuid: must be true or false, not "TRUE"']],
    [{ osType: 'debian12-64' }, ['ovf.osType: must be a VMware guest id such as debian12_64Guest, not "debian12-64"']],
    [{ ostype: 'debian12_64Guest' }, [expect.stringMatching(/^ovf.ostype: is not a setting \(Did you mean .*osType/)]],
  ])('cannot have %j', (ovf, expected) => {
    expect(issuesOf({ ovf })).toEqual(expected);
  });

  it('has the disk that vSphere wants where nothing is said', () => {
    expect(recipeSchema.parse({ distro: 'debian-13' }).ovf).toEqual({ controller: 'pvscsi', diskEnableUuid: true });
    expect(issuesOf({ ovf: { hardwareVersion: 13, osType: 'vmwarePhoton64Guest', diskEnableUuid: false } })).toEqual(
      [],
    );
  });
});

describe('users', () => {
  const user = (name: string) => ({ users: [{ name, sshKeys: [exampleKey] }] });

  it.each([
    ...[
      'root',
      'backup',
      'mail',
      'operator',
      'games',
      'www-data',
      'lp',
      'adm',
      'systemd-network',
      '_apt',
      'messagebus',
    ],
    ...['sudo', 'wheel', 'users', 'kvmimg-build', 'sshd', 'dbus', 'nogroup'],
  ])('cannot be called %s', (name) => {
    const expected = `users[0].name: "${name}" is a user or group of the system, choose another name`;
    expect(issuesOf(user(name))).toEqual([expected]);
  });

  it.each(['ops', 'admin', 'ubuntu', 'backups', 'deploy', 'systemd'])('can be called %s', (name) => {
    expect(issuesOf(user(name))).toEqual([]);
  });

  it('need a whole key', () => {
    expect(issuesOf({ users: [{ name: 'ops', sshKeys: ['ecdsa-sha2-nistp999 AAAA'] }] })).toEqual([
      'users[0].sshKeys[0]: must be an SSH public key, not "ecdsa-sha2-nistp999 AAAA"',
    ]);
  });
});

describe('steps', () => {
  it.each([
    [
      'a unit by both of its names',
      [{ services: { enable: ['ssh'] } }, { services: { disable: ['ssh.service'] } }],
      ['provision[1].services.disable[0]: "ssh.service" is enabled at provision[0].services.enable[0]'],
    ],
    [
      'a sysctl by both of its names',
      [{ sysctls: { 'net/ipv4/ip_forward': 1 } }, { sysctls: { 'net.ipv4.ip_forward': 0 } }],
      [
        'provision[1].sysctls["net.ipv4.ip_forward"]: has another value at provision[0].sysctls["net/ipv4/ip_forward"]: 1',
      ],
    ],
    [
      'a sysctl of a device with a dot in its name',
      [
        { sysctls: { 'net/ipv4/conf/eth0.100/forwarding': 1 } },
        { sysctls: { 'net.ipv4.conf.eth0/100.forwarding': 0 } },
      ],
      [expect.stringContaining('has another value at')],
    ],
    [
      'a file that the seal removes',
      [{ files: [{ path: '/etc/netplan/50-cloud-init.yaml', content: 'a' }] }],
      [
        'provision[0].files[0].path: /etc/netplan/50-cloud-init.yaml is written or removed when the image is sealed (Use network.)',
      ],
    ],
    [
      'a folder',
      [{ files: [{ path: '/etc', source: 'x' }] }],
      ['provision[0].files[0].path: /etc is a folder (Say which file in it.)'],
    ],
  ])('cannot speak twice, or in vain, of %s', (_, provision, expected) => {
    expect(issuesOf({ provision })).toEqual(expected);
  });

  it('can say the same of a sysctl twice, and of a service and its socket each something', () => {
    const sysctls = [{ sysctls: { 'vm/swappiness': ' 1 ' } }, { sysctls: { 'vm.swappiness': 1 } }];
    const services = [{ services: { enable: ['ssh'], disable: ['ssh.socket'] } }];
    expect(issuesOf({ provision: [...sysctls, ...services] })).toEqual([]);
  });

  it('have sysctls without blanks at the ends', () => {
    const provision = [{ sysctls: { 'vm.swappiness': ' 1 ' } }];
    expect(recipeSchema.parse({ distro: 'a', provision }).provision[0]?.sysctls).toEqual({ 'vm.swappiness': '1' });
  });
});

describe('a setting that is there without a value, or not at all', () => {
  it.each([
    [{ disk: { size: null } }, 'disk.size: has no value'],
    [{ network: null }, 'network: has no value'],
    [{ disk: { layout: 'lvm', volumes: [{ path: '/srv' }] } }, 'disk.volumes[0].size: is required'],
    [{ expires: { days: 3 } }, 'expires: must be never or a duration such as 12h or 7d, not settings'],
  ])('is told as such: %j', (settings, expected) => {
    expect(issuesOf(settings)).toEqual([expected]);
  });
});

describe('a value of someone who does not know the setting yet', () => {
  const sizeError = 'must be a size such as 8GiB';
  it.each<[object, string[]]>([
    [
      { users: [{ name: 'ops', sshKeys: ['~/.ssh/id_ed25519.pub'] }] },
      ['users[0].sshKeys[0]: must be an SSH public key, not "~/.ssh/id_ed25519.pub" (Paste the content of the file.)'],
    ],
    [
      { users: [{ name: 'ops', sshKeys: [exampleKey], password: 'x' }] },
      ['users[0].password: is not a setting (Nobody has a password: users log in by sshKeys.)'],
    ],
    [
      { provision: [{ scripts: ['harden.sh'] }] },
      [
        'provision[0].scripts[0]: must be settings (`name: value`), not "harden.sh" (Such as { source: harden.sh } or { run: … })',
      ],
    ],
    [
      { provision: [{ shell: 'true' }] },
      ['provision[0].shell: is not a setting (Did you mean scripts: [{ run: … }]?)'],
    ],
    [
      { provision: [{ shell: 'true', packages: ['jq'], files: [{ path: '/etc/x', content: 'x' }] }] },
      [
        'provision[0].shell: is not a setting (Did you mean scripts: [{ run: … }]?)',
        'provision[0]: must have exactly one of packages, files, sysctls, services, scripts',
      ],
    ],
    [
      { provision: [{ files: [{ path: '/etc/x', contnet: 'x' }] }] },
      ['provision[0].files[0].contnet: is not a setting (Did you mean provision[0].files[0].content?)'],
    ],
    [
      { disk: { layout: 'lvm', volumes: [{ path: '/', size: '1GiB' }] } },
      [
        'disk.volumes[0].path: must be an absolute path of a file, not "/" (/ has what the volumes leave; disk.size says how much.)',
      ],
    ],
    [{ disk: { swap: 0 } }, [`disk.swap: ${sizeError}, not 0 (Leave it out for no swap.)`]],
    [{ disk: { size: 20 } }, ['disk.size: must be at least 1 MiB, not 20 (20 is bytes; write 20GiB.)']],
    [{ memory: 512 }, ['memory: must be at least 1 MiB, not 512 (512 is bytes; write 512MiB.)']],
    [{ memory: 2 }, ['memory: must be at least 1 MiB, not 2 (2 is bytes; write 2GiB.)']],
    [{ memory: '2' }, ['memory: must be at least 1 MiB, not "2" (2 is bytes; write 2GiB.)']],
    [{ memory: 'much' }, [`memory: ${sizeError}, not "much"`]],
    [
      { proxy: 'http://user:pw@proxy.example.org:3128' },
      [
        'proxy: must be a plain http:// or https:// URL, with no user name, password or query, not "http://user:pw@proxy.example.org:3128" (Put one with a password into the variables http_proxy and https_proxy.)',
      ],
    ],
    [
      { hostname: 'a.example.org' },
      [
        'hostname: must be a host name: a-z, 0-9 and -, at most 63 characters, not "a.example.org" (Say it without a domain; first-boot data gives that.)',
      ],
    ],
    [
      { packages: ['kubelet=1.33.1-1.1'] },
      [
        'packages[0]: must be a package name, not "kubelet=1.33.1-1.1" (To choose a version, install it in a script, or name a repository that has only that one.)',
      ],
    ],
    [{ formats: 'raw' }, ['formats: must be a list, not "raw" (Write [raw].)']],
    [{ users: 'ops' }, ['users: must be a list, not "ops"']],
    [
      { installer: { iso: 'https://example.org/a.iso' } },
      [
        'installer.iso: must have the sha256 of an ISO that is fetched by URL (Add installer.sha256, or --set installer.sha256=…)',
      ],
    ],
  ])('is told with what to do: %j', (settings, expected) => {
    expect(issuesOf(settings)).toEqual(expected);
  });
});

describe('the suite of a repository', () => {
  const suiteOf = (suite: string) => {
    const checked = validateRecipe({
      distro: 'debian-13',
      repositories: [{ name: 'more', url: 'https://repo.example.org/apt', suite, keySource: 'key.asc' }],
    });
    return 'recipe' in checked ? checked.recipe.repositories[0]?.suite : checked.issues[0]?.message;
  };

  it.each([
    ['./', '/'],
    ['/', '/'],
    ['./x/', 'x/'],
    ['/x/', 'x/'],
    ['x/', 'x/'],
    ['stable', 'stable'],
    ['trixie/updates', 'trixie/updates'],
  ])('%s is asked for as %s, for a mirror has nothing at /./ and //', (suite, expected) => {
    expect(suiteOf(suite)).toBe(expected);
  });

  it.each(['.', '..', '../', 'a/../b', 'a/./b/', 'a//b', '//', ''])('cannot be %j', (suite) => {
    expect(suiteOf(suite)).toContain('must be the suite of an apt repository');
  });
});
