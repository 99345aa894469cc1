import { describe, expect, it } from 'vitest';
import { loadRedhatTemplates, renderRedhatAnswerFile } from '../../../src/answer-file/redhat.ts';
import { answerRun, planForDistro } from './answer-inputs.ts';
import { findKickstartProblems, parseKickstart } from './kickstart-rules.ts';

const settings = { disk: { size: '20GiB', layout: 'lvm', swap: '1GiB' }, ntp: ['a.example'] };
const { 'ks.cfg': good } = renderRedhatAnswerFile(
  await planForDistro('rocky-9', settings),
  answerRun,
  await loadRedhatTemplates(),
);

describe('the rules of kickstart', () => {
  it('find nothing in what we write', () => {
    expect(findKickstartProblems(parseKickstart(good))).toEqual([]);
  });

  it.each([
    ['skipx', 'skipx --now', 'skipx: unknown option or value --now'],
    ['skipx', 'skipx -y', 'skipx: unknown option or value -y'],
    ['skipx', 'auth --enableshadow', 'unknown command auth'],
    ['skipx', 'skipx\nskipx', 'skipx twice'],
    ['--timeout=1', '--timeout=one', 'bootloader: unknown option or value --timeout=one'],
    ['--location=mbr', '--location=disk', 'bootloader: unknown option or value --location=disk'],
    ['--utc', '--isUtc', 'timezone: unknown option or value --isUtc'],
    ['--size=128', '--size=128MiB', 'part: unknown option or value --size=128MiB'],
    ['--size=128 ', '', 'part: no --size'],
    ['part pv.01', 'part pv.02', 'volgroup: no part pv.01'],
    ['part /boot ', 'part /boot/efi ', 'part /boot/efi twice'],
    ['--name=home ', '--name=root ', 'logvol system/root twice'],
    ['volgroup system', 'volgroup other', 'logvol: no volgroup system'],
    ['--only-use=', '--drives=vda --only-use=', 'ignoredisk: not one of --drives, --only-use'],
    [
      'repo --name=AppStream',
      'repo --name=AppStream --metalink=x',
      'repo: not one of --baseurl, --mirrorlist, --metalink',
    ],
    ['url --url', 'cdrom\nurl --url', 'not one installation source'],
    ['timesource', 'timesource --ntp-disable', 'timesource: not one of --ntp-server, --ntp-pool, --ntp-disable'],
    ['sshkey --username=', 'sshkey --username=not-', 'sshkey: no user not-kvmimg-build'],
    ['--exclude-weakdeps', '--excludeWeakdeps', 'packages: unknown option or value --excludeWeakdeps'],
    ['-firewalld', '-sudo', 'packages: sudo and -sudo'],
    ['-firewalld', 'not a name', 'packages: not a name'],
    ['%pre --interpreter', '%pre --interpreter=a --interpreter', 'pre: --interpreter twice'],
  ])('find what is wrong where %j is %j', (from, to, problem) => {
    const bad = good.replace(from, to);
    expect(bad).not.toBe(good);
    expect(findKickstartProblems(parseKickstart(bad))).toContain(problem);
  });

  it.each([
    ['a section that does not end', 'exit $status\n%end', 'exit $status', 'does not end'],
    ['a section in a section', 'exit $status', '  %pre', 'Section %post does not end'],
    ['an end that is not at the margin', 'set -o pipefail', '  %end', 'Unknown kickstart section: %end'],
    ['an include in a script', 'set -o pipefail', '%include /tmp/more', '%include'],
    ['an append', 'set -o pipefail', '  %ksappend http://example.org', '%ksappend'],
    ['a section that is none', '%onerror', '%on-error', 'Unknown kickstart section: %on-error'],
  ])('cannot read %s', (_, from, to, message) => {
    expect(() => parseKickstart(good.replace(from, to))).toThrow(message);
  });
});
