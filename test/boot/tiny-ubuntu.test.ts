import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ubuntuUserData } from './answer-files.ts';
import { type Change, diskText, HostInstaller, replaced, withArgument } from './host-installer.ts';

const host = HostInstaller.forEachTest();

describe('the tiny installer of Ubuntu', () => {
  async function install({ arguments: change = (given) => given, answer = (given) => given, ...around }: Change = {}) {
    host.server.files.set('/seed/meta-data', 'instance-id: one\n');
    host.server.files.set('/seed/user-data', answer(ubuntuUserData({ callback: host.url })));
    const kernelArguments = change(`autoinstall ds=nocloud;s=${host.url}seed/ console=ttyS0`);
    return host.run({ family: 'ubuntu', kernelArguments, ...around });
  }

  it('installs, and tells its webhook', async () => {
    const ended = await install();
    expect(ended.output).not.toContain('tiny-installer:');
    expect(ended.exitCode).toBe(0);
    expect(diskText(ended)).toBe('tiny-installer: ubuntu on vda');
    expect(ended.disk.subarray(510, 512)).toEqual(Buffer.from([0x55, 0xaa]));
    expect(host.posted('/early')).toEqual(['early']);
    expect(host.posted('/late')).toEqual(['late']);
    const events = host.posted('/events').map((body) => JSON.parse(body));
    expect(events[0]).toEqual({
      name: 'subiquity/apply_autoinstall_config',
      description: 'applying autoinstall',
      event_type: 'start',
      origin: 'curtin',
      timestamp: expect.any(Number),
      level: 'INFO',
    });
    expect(events.at(-1)).toMatchObject({ name: 'subiquity/Shutdown/shutdown', event_type: 'start' });
    expect(events.filter(({ result }) => result === 'FAIL')).toEqual([]);
    const fetched = host.server.requests.filter(({ method }) => method === 'GET').map(({ path }) => path);
    expect(fetched).toEqual(['/seed/network-config', '/seed/meta-data', '/seed/user-data', '/seed/vendor-data']);
  });

  it('takes the seed from the serial number of the machine too', async () => {
    const ended = await install({
      arguments: () => 'autoinstall',
      productSerial: `ds=nocloud-net;s=${host.url}seed/`,
    });
    expect(ended.exitCode).toBe(0);
  });

  it.each<[string, string, Change]>([
    ['no slash at the end', 'gets no http', withArgument('seed/', 'seed')],
    ['a quoted ds=', 'sees no ds=', withArgument(/ds=\S+/, "'$&'")],
    ['an escaped ds=', 'sees no ds=', withArgument(';', '\\;')],
    ['no #cloud-config', '#cloud-config', replaced('#cloud-config\n', '')],
    ['no YAML', 'cannot read user-data as YAML', replaced('version: 1', 'version: "1')],
    ['no version', "'version' section", replaced('version: 1', 'version: 2')],
    ['an unknown key', 'Unknown autoinstall key shutdwn', replaced('shutdown', 'shutdwn')],
    ['no user', 'neither identity nor user-data', replaced(/ {2}user-data:\n.*\n/, '')],
    ['another serial', 'no disk has the serial', replaced('serial: kvmimg', 'serial: x')],
    ['no serial', 'storage names no disk', replaced(/ +match:\n.*\n/, '')],
    ['a path', 'not found by serial', replaced('serial: kvmimg-root', 'path: /dev/vda')],
    ['no webhook', 'reporting has no webhook', replaced('type: webhook', 'type: print')],
    [
      'a deaf webhook',
      'no webhook answers',
      { answer: (given) => given.replace(/(endpoint: ")[^"]*/, '$1http://127.0.0.1:1/') },
    ],
    ['a failing early command', 'the command failed', replaced('-d early', '--oops')],
    ['no squashfs', 'no CD-ROM has casper', { medium: { 'casper/ubuntu-server-minimal.squashfs': undefined } }],
    ['another medium', 'no CD-ROM has casper', { medium: { '.disk/casper-uuid-generic': 'another\n' } }],
  ])('refuses %s', async (_, says, wrong) => {
    const ended = await install(wrong);
    expect(ended.output).toContain(says);
    expect(ended.exitCode).toBe(1);
    expect(diskText(ended)).not.toContain('tiny-installer');
  });

  it('takes a pattern for the serial', async () => {
    const ended = await install(replaced('serial: kvmimg-root', "serial: '*kvmimg-root'"));
    expect(diskText(ended)).toBe('tiny-installer: ubuntu on vda');
  });

  it('takes commands that are lists, and of a script for the target what calls home', async () => {
    const script = join(host.dir, 'late.sh');
    host.server.files.set('/late.sh', `set -e\nchroot /target true\ncurl -fsS -o /dev/null ${host.url}target.sh\n`);
    host.server.files.set('/target.sh', 'true\n');
    const lists = `- [curl, -fsS, -o, ${script}, '${host.url}late.sh']\n    - [sh, ${script}]`;
    const ended = await install({ answer: (given) => given.replace(/- curl -fsS -d late.*/, lists) });
    expect(ended).toMatchObject({ exitCode: 0 });
    expect(host.server.requests.map(({ path }) => path)).toContain('/target.sh');
  });

  it('asks where autoinstall is not on the command line', async () => {
    const ended = await install(withArgument('autoinstall ', ''));
    expect(ended.output).toMatch(/Continue with autoinstall\? \(yes\|no\)$/);
  });

  it.each([
    ['asks', /Continue with autoinstall\? \(yes\|no\)$/],
    ['cannot-parse', /\[ Continue in basic mode {3}> \]$/],
    ['fails', /An error occurred\. Press enter to start a shell\n$/],
  ] as const)('%s when the scenario says so', async (scenario, says) => {
    const ended = await install({ scenario });
    expect(ended.output).toMatch(says);
    expect(ended.exitCode).toBe(1);
    if (scenario !== 'fails') return;
    expect(host.posted('/logs').join()).toContain('the journal of the installer');
    const failed = host.posted('/events').map((body) => JSON.parse(body));
    expect(failed.find(({ result }) => result === 'FAIL')).toMatchObject({
      name: 'subiquity/Install/install/curtin_install/cmd-install/stage-curthooks/builtin/cmd-curthooks',
    });
  });
});
