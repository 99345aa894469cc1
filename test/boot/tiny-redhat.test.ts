import { beforeEach, describe, expect, it } from 'vitest';
import { redhatKickstart } from './answer-files.ts';
import { startTcpSyslog } from './answer-server.ts';
import { type Change, diskText, HostInstaller, replaced, withArgument } from './host-installer.ts';

const host = HostInstaller.forEachTest();

describe('the tiny installer of Red Hat', () => {
  let syslog: Awaited<ReturnType<typeof startTcpSyslog>>;

  beforeEach(async () => {
    syslog = await startTcpSyslog(host.scope);
  });

  async function install({ arguments: change = (given) => given, answer = (given) => given, ...around }: Change = {}) {
    host.server.files.set('/ks.cfg', answer(redhatKickstart({ callback: host.url })));
    const kernelArguments = change(
      `inst.stage2=hd:LABEL=Rocky-9-4-x86_64-dvd inst.ks=${host.url}ks.cfg inst.syslog=127.0.0.1:${syslog.port} inst.text`,
    );
    return host.run({ family: 'redhat', kernelArguments, ...around });
  }

  it('installs from its CD-ROM, and tells the syslog', async () => {
    const ended = await install();
    expect(ended.output).not.toContain('tiny-installer:');
    expect(ended.exitCode).toBe(0);
    expect(diskText(ended)).toBe('tiny-installer: redhat on vda');
    expect(host.posted('/pre')).toEqual(['pre']);
    expect(host.posted('/post')).toEqual(['post']);
    expect(host.posted('/logs')).toEqual([]);
    expect(syslog.lines()[0]).toMatch(/^<142>[A-Z][a-z]{2} [ \d]\d [\d:]{8} localhost anaconda\[\d+\]: anaconda: /);
    expect(syslog.lines().join()).toContain('Installing boot loader');
    const kickstart = host.server.requests.find(({ path }) => path === '/ks.cfg');
    expect(kickstart?.headers).toMatchObject({
      'x-anaconda-architecture': 'x86_64',
      'x-anaconda-system-release': 'Rocky Linux',
    });
    expect(kickstart?.headers).not.toHaveProperty('x-rhn-provisioning-mac-0');
  });

  it('sends the address of its NIC when asked to', async () => {
    await install({ arguments: (given) => `${given} inst.ks.sendmac` });
    const kickstart = host.server.requests.find(({ path }) => path === '/ks.cfg');
    expect(kickstart?.headers['x-rhn-provisioning-mac-0']).toBe('eth0 52:54:00:12:34:56');
  });

  it('takes a label with blanks as udev writes it', async () => {
    const label = (written: string): Change => ({
      volumeId: 'My EL 9',
      arguments: (given) => given.replace('Rocky-9-4-x86_64-dvd', written),
    });
    expect(await install(label('My\\x20EL\\x209'))).toMatchObject({ exitCode: 0 });
    expect(await install(label('My_EL_9'))).toMatchObject({ exitCode: 1 });
  });

  it('installs from a tree', async () => {
    const tree = {
      arguments: (given: string) => given.replace(/inst\.stage2=\S+/, `inst.repo=${host.url}os/`),
      answer: (given: string) => given.replace('cdrom', `url --url=${host.url}os/`),
    };
    host.server.files.set('/os/.treeinfo', '[stage2]\nmainimage = images/install.img\n');
    host.server.files.set('/os/images/install.img', 'stage 2');
    expect((await install(tree)).output).toContain(`asks: no repository at ${host.url}os/`);
    host.server.files.set('/os/BaseOS/repodata/repomd.xml', '<repomd/>');
    expect((await install(tree)).output).toContain(`asks: no repository at ${host.url}os/`);
    const variants = '[tree]\nvariants = AppStream,BaseOS\n[variant-BaseOS]\nrepository = BaseOS\n';
    host.server.files.set('/os/.treeinfo', `[stage2]\nmainimage = images/install.img\n${variants}`);
    expect(await install(tree)).toMatchObject({ exitCode: 0 });
    const fetched = host.server.requests.map(({ path }) => path);
    expect(fetched).toEqual(expect.arrayContaining(['/os/images/updates.img', '/os/images/product.img']));
    host.server.files.delete('/os/images/install.img');
    expect((await install(tree)).output).toContain(`failed to fetch stage2 from ${host.url}os`);
  });

  it.each<[string, string, Change]>([
    ['another label', 'by-label/Other does not exist', withArgument('Rocky-9-4-x86_64-dvd', 'Other')],
    ['no stage 2', 'no suitable images', { medium: { 'images/install.img': undefined } }],
    ['ks=', 'inst.ks=', withArgument('inst.ks', 'ks')],
    ['another path', 'failed to fetch kickstart', withArgument('ks.cfg', 'ks')],
    ['a deaf syslog', 'no syslog server answers by TCP', withArgument(/:\d+ inst.text/, ':1 inst.text')],
    ['an unknown command', 'line 1 of the kickstart file:\n\nUnknown command: txt', replaced('text', 'txt')],
    ['an open section', 'Section %packages does not end with %end', replaced('@core\n%end', '@core')],
    ['an open last section', 'Section %traceback does not end with %end', replaced(/%end\n$/, '')],
    ['an unknown section', 'Unknown kickstart section: %oops', replaced('%onerror', '%oops')],
    ['an unknown option of a section', 'unrecognized arguments: --errors', replaced('--erroronfail', '--errors')],
    ['an open quote', 'No closing quotation', replaced('ttyS0"', 'ttyS0')],
    ['a deprecated command', 'Unknown command: install', replaced('text', 'install')],
    ['a file that is not there', 'Unable to open input kickstart file', replaced('text', '%include /tmp/none.ks')],
    ['another serial', 'does not exist', replaced(/virtio-kvmimg-root/g, 'virtio-other')],
    ['a disk by its name', 'not found by serial', replaced(/disk\/by-id\/virtio-kvmimg-root/g, 'vda')],
    [
      'graphical mode',
      'graphical mode',
      { arguments: (given) => given.replace(' inst.text', ''), ...replaced('text\n', '') },
    ],
    ['a failing %pre', '%pre failed', replaced('-d pre', '--oops')],
    ['no boot loader', 'no bootloader', replaced(/^bootloader.*$/m, '')],
    ['no user', 'no root password', replaced(/^(rootpw|user).*$/gm, '')],
    ['no partitioning', 'no partitioning', replaced(/^part.*$/m, '')],
    ['no packages', 'no %packages', replaced(/%packages[^%]*%end/, '')],
    [
      'no repository',
      'holds no repository',
      {
        medium: { 'BaseOS/repodata/repomd.xml': undefined, 'AppStream/repodata/repomd.xml': undefined },
      },
    ],
  ])('refuses %s', async (_, says, wrong) => {
    const ended = await install(wrong);
    expect(ended.output).toContain(says);
    expect(ended.exitCode).toBe(1);
    expect(diskText(ended)).not.toContain('tiny-installer');
  });

  it('ends in command line mode, in place of asking', async () => {
    const ended = await install({
      ...withArgument('inst.text', 'inst.text inst.cmdline'),
      ...replaced(/^lang.*$/m, ''),
    });
    expect(ended.output).toMatch(/incomplete spokes detected.*The installer will now terminate\.\n$/s);
    expect(host.posted('/logs').join()).toContain('the journal of the installer');
  });

  it('finds repositories below the folder of its CD-ROM', async () => {
    const repo = (name: string) => replaced('cdrom', `cdrom\nrepo --name=a --baseurl=file:///run/install/repo/${name}`);
    expect(await install(repo('AppStream'))).toMatchObject({ exitCode: 0 });
    expect((await install(repo('Apps'))).output).toContain('no repository at file:///run/install/repo/Apps');
  });

  it('waits at its end without poweroff, and resets with reboot', async () => {
    const waiting = await install(replaced(/^poweroff$/m, ''));
    expect(waiting.output).toMatch(/Press ENTER to quit: $/);
    expect(await install(replaced(/^poweroff$/m, 'reboot'))).toMatchObject({ exitCode: 10 });
  });

  it.each([
    ['asks', /'b' to begin installation, 'h' to help,\n'q' to quit, 'r' to refresh\]: $/],
    ['cannot-parse', /line 1 of the kickstart file:.*Pane is dead \(status 1, .*\)\n$/s],
    ['fails', /An unknown error has occurred.*Please make a selection from the above: $/s],
  ] as const)('%s when the scenario says so', async (scenario, says) => {
    const ended = await install({ scenario });
    expect(ended.output).toMatch(says);
    expect(ended.exitCode).toBe(1);
    if (scenario !== 'fails') return;
    expect(host.posted('/logs').join()).toContain('the journal of the installer');
    expect(host.posted('/traceback')).toEqual(['traceback']);
  });
});
